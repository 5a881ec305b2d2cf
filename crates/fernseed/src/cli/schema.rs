//! `schema`: the published formats.

use super::args::{SchemaArg, SchemaArgs};
use super::terminal::{Problem, Terminal};
use fernseed::exit::Exit;

pub(crate) fn schema(args: &SchemaArgs, out: &Terminal) -> Result<Exit, Problem> {
    let schema = match args.format {
        SchemaArg::Plan => schemars::schema_for!(fernseed_core::plan::Plan),
        SchemaArg::Report => schemars::schema_for!(fernseed::report::Report),
        SchemaArg::Inventory => schemars::schema_for!(fernseed::report::InspectLine),
        SchemaArg::Links => schemars::schema_for!(fernseed::report::LinksLine),
        SchemaArg::Audit => schemars::schema_for!(fernseed::report::AuditLine),
    };
    out.result(&serde_json::to_string_pretty(&schema).map_err(Problem::io)?);
    Ok(Exit::Clean)
}
