//! The words an SVG of ours may be written with (SVG 1.1 and 2, CSS Color
//! 4). Data for the writer and for the audit alike.

/// Elements that draw, or that others draw with.
pub(crate) const ELEMENTS: &str = " svg g defs symbol use path rect circle ellipse line polyline \
polygon text tspan textPath linearGradient radialGradient stop clipPath mask pattern marker image \
style filter feBlend feColorMatrix feComponentTransfer feComposite feConvolveMatrix \
feDiffuseLighting feDisplacementMap feDistantLight feDropShadow feFlood feFuncA feFuncB feFuncG \
feFuncR feGaussianBlur feMerge feMergeNode feMorphology feOffset fePointLight \
feSpecularLighting feSpotLight feTile feTurbulence ";

/// Attributes whose value is made of numbers, colours, known words and
/// references inside the file.
pub(crate) const ATTRIBUTES: &str = " x y x1 y1 x2 y2 cx cy r rx ry fx fy fr dx dy width height \
viewBox preserveAspectRatio transform gradientTransform patternTransform gradientUnits \
patternUnits patternContentUnits clipPathUnits maskUnits maskContentUnits markerUnits markerWidth \
markerHeight refX refY orient spreadMethod offset rotate textLength lengthAdjust startOffset \
method spacing pathLength filterUnits primitiveUnits in in2 result type values stdDeviation mode \
operator k1 k2 k3 k4 radius baseFrequency numOctaves seed stitchTiles tableValues slope intercept \
amplitude exponent order kernelMatrix divisor bias targetX targetY edgeMode preserveAlpha \
surfaceScale diffuseConstant specularConstant specularExponent azimuth elevation z pointsAtX \
pointsAtY pointsAtZ limitingConeAngle scale xChannelSelector yChannelSelector version \
kernelUnitLength ";

/// Properties, as attributes and in style sheets.
pub(crate) const PROPERTIES: &str = " alignment-baseline baseline-shift clip clip-path clip-rule \
color color-interpolation color-interpolation-filters color-rendering direction display \
dominant-baseline enable-background fill fill-opacity fill-rule filter flood-color flood-opacity \
font-family font-size font-size-adjust font-stretch font-style font-variant font-weight \
image-rendering isolation letter-spacing lighting-color line-height marker marker-end marker-mid \
marker-start mask mask-type mix-blend-mode opacity overflow paint-order pointer-events \
shape-rendering stop-color stop-opacity stroke stroke-dasharray stroke-dashoffset stroke-linecap \
stroke-linejoin stroke-miterlimit stroke-opacity stroke-width text-align text-anchor \
text-decoration text-indent text-rendering text-transform unicode-bidi vector-effect visibility \
white-space word-spacing writing-mode ";

/// Words that stand in values.
pub(crate) const KEYWORDS: &str = " none inherit initial unset auto normal currentColor \
userSpaceOnUse objectBoundingBox strokeWidth pad reflect repeat xMinYMin xMidYMin xMaxYMin \
xMinYMid xMidYMid xMaxYMid xMinYMax xMidYMax xMaxYMax meet slice butt round square miter bevel \
arcs evenodd nonzero start middle end left right center justify bold bolder lighter italic oblique \
small-caps underline overline line-through blink visible hidden scroll collapse inline block \
inline-block contents matrix saturate hueRotate luminanceToAlpha identity table discrete linear \
gamma over in out atop xor arithmetic lighter erode dilate fractalNoise turbulence stitch noStitch \
duplicate wrap true false SourceGraphic SourceAlpha BackgroundImage BackgroundAlpha FillPaint \
StrokePaint R G B A multiply screen overlay darken lighten color-dodge color-burn hard-light \
soft-light difference exclusion hue saturation color luminosity alpha luminance isolate sRGB \
linearRGB optimizeSpeed optimizeQuality optimizeLegibility geometricPrecision crispEdges pixelated \
baseline before-edge text-before-edge central after-edge text-after-edge ideographic alphabetic \
hanging mathematical text-bottom text-top sub super ltr rtl embed bidi-override lr lr-tb rl-tb \
tb-rl rl tb horizontal-tb vertical-rl vertical-lr nowrap pre pre-wrap pre-line uppercase lowercase \
capitalize non-scaling-stroke fill stroke markers spacing spacingAndGlyphs align stretch exact \
auto-start-reverse accumulate new visiblePainted visibleFill visibleStroke painted all \
no-change reset-size use-script condensed expanded semi-condensed semi-expanded \
xx-small x-small small medium large x-large xx-large smaller larger ";

/// Named colours.
pub(crate) const COLOURS: &str = " aliceblue antiquewhite aqua aquamarine azure beige bisque black \
blanchedalmond blue blueviolet brown burlywood cadetblue chartreuse chocolate coral cornflowerblue \
cornsilk crimson cyan darkblue darkcyan darkgoldenrod darkgray darkgreen darkgrey darkkhaki \
darkmagenta darkolivegreen darkorange darkorchid darkred darksalmon darkseagreen darkslateblue \
darkslategray darkslategrey darkturquoise darkviolet deeppink deepskyblue dimgray dimgrey \
dodgerblue firebrick floralwhite forestgreen fuchsia gainsboro ghostwhite gold goldenrod gray green \
greenyellow grey honeydew hotpink indianred indigo ivory khaki lavender lavenderblush lawngreen \
lemonchiffon lightblue lightcoral lightcyan lightgoldenrodyellow lightgray lightgreen lightgrey \
lightpink lightsalmon lightseagreen lightskyblue lightslategray lightslategrey lightsteelblue \
lightyellow lime limegreen linen magenta maroon mediumaquamarine mediumblue mediumorchid \
mediumpurple mediumseagreen mediumslateblue mediumspringgreen mediumturquoise mediumvioletred \
midnightblue mintcream mistyrose moccasin navajowhite navy oldlace olive olivedrab orange orangered \
orchid palegoldenrod palegreen paleturquoise palevioletred papayawhip peachpuff peru pink plum \
powderblue purple rebeccapurple red rosybrown royalblue saddlebrown salmon sandybrown seagreen \
seashell sienna silver skyblue slateblue slategray slategrey snow springgreen steelblue tan teal \
thistle tomato transparent turquoise violet wheat white whitesmoke yellow yellowgreen ";

/// Functions with numbers between their brackets.
pub(crate) const FUNCTIONS: &str = " matrix translate scale rotate skewX skewY rgb rgba hsl hsla translateX translateY scaleX scaleY rect ";

/// Units of lengths and angles.
pub(crate) const UNITS: &str = " px pt pc mm cm in em ex rem ch vw vh % deg rad grad turn s ms ";

/// Font families that say nothing of a system; lower case, quoted or not.
pub(crate) const FONTS: &[&str] = &[
    "serif",
    "sans-serif",
    "monospace",
    "cursive",
    "fantasy",
    "system-ui",
    "arial",
    "helvetica",
    "helvetica neue",
    "verdana",
    "tahoma",
    "trebuchet ms",
    "times",
    "times new roman",
    "georgia",
    "courier",
    "courier new",
    "impact",
    "comic sans ms",
    "dejavu sans",
    "dejavu serif",
    "dejavu sans mono",
    "liberation sans",
    "liberation serif",
    "liberation mono",
    "roboto",
    "open sans",
    "noto sans",
    "noto serif",
    "lato",
    "ubuntu",
    "calibri",
    "cambria",
    "segoe ui",
    "symbol",
    "palatino",
    "garamond",
    "bookman",
    "avant garde",
    "lucida console",
    "lucida sans",
    "bitstream vera sans",
    "sans",
    "mono",
];

/// True if the blank-separated list holds the word.
pub(crate) fn has(list: &str, word: &str) -> bool {
    !word.is_empty() && !word.contains(' ') && list.split(' ').any(|w| w == word)
}
