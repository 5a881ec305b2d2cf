//! The symbols of a scan, in order, as they are read and written again.

/// Most symbols of one scan (192 MiB of tokens).
pub(super) const MAX_TOKENS: usize = 48 << 20;

/// Kinds of tokens up to here are DC 0, DC 1, AC 0 and AC 1.
pub(super) const KINDS: usize = 4;
const BARE: u32 = 4;
const RESTART: u32 = 5;

/// One symbol with the bits that follow it: `n << 27 | kind << 24 |
/// symbol << 16 | extra`, of which the low `n` bits of `extra` count.
#[derive(Clone, Copy, Debug)]
pub(super) struct Token(u32);

/// What a token is.
pub(super) enum What {
    /// A symbol, by [`Token::place`].
    Symbol,
    /// Bits without a symbol.
    Bare,
    /// A restart marker.
    Restart,
}

impl Token {
    #[inline]
    const fn new(kind: u32, symbol: u8, n: u32, extra: u32) -> Self {
        Self(n << 27 | kind << 24 | (symbol as u32) << 16 | extra)
    }

    #[inline]
    pub(super) const fn what(self) -> What {
        match self.0 >> 24 & 7 {
            RESTART => What::Restart,
            BARE => What::Bare,
            _ => What::Symbol,
        }
    }

    /// `kind << 8 | symbol` of a symbol.
    #[inline]
    pub(super) const fn place(self) -> usize {
        (self.0 >> 16 & 0x3FF) as usize
    }

    /// The bits that follow the symbol, and how many.
    #[inline]
    pub(super) const fn extra(self) -> (u32, u32) {
        (self.0 & 0xFFFF, self.0 >> 27)
    }
}

/// Tokens in order, and how often each symbol occurs.
#[derive(Debug)]
pub(super) struct Tokens {
    pub(super) list: Vec<Token>,
    /// By [`Token::place`].
    pub(super) counts: [u32; KINDS * 256],
}

impl Tokens {
    /// No tokens yet, but room for those of `bytes` of data.
    pub(super) fn with_room_for(bytes: usize) -> Self {
        // Room that is not used costs nothing; most symbols have more than
        // four bits.
        let room = bytes.saturating_mul(2).min(1 << 20);
        Self { list: Vec::with_capacity(room), counts: [0; KINDS * 256] }
    }

    #[inline(always)]
    pub(super) fn symbol(&mut self, kind: u32, symbol: u8, n: u32, extra: u32) {
        let token = Token::new(kind, symbol, n, extra);
        // Far fewer than four thousand million.
        self.counts[token.place()] += 1;
        self.list.push(token);
    }

    #[inline]
    pub(super) fn bit(&mut self, bit: u32) {
        if let Some(last) = self.list.last_mut()
            && matches!(last.what(), What::Bare)
            && last.extra().1 < 16
        {
            let (bits, n) = last.extra();
            *last = Token::new(BARE, 0, n + 1, (bits << 1 | bit) & 0xFFFF);
            return;
        }
        self.list.push(Token::new(BARE, 0, 1, bit));
    }

    pub(super) fn restart(&mut self) {
        self.list.push(Token::new(RESTART, 0, 0, 0));
    }
}
