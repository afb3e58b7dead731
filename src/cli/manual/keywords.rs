//! The keyword table for people: `docs/keywords.md` and vrrpd.conf(5).

use crate::config::{BlockInfo, KeywordInfo, keywords};
use roff::{Roff, bold, italic, roman};
use std::io::{self, Write};

const HEAD: &str = "# Every keyword

Made from the keyword table by `vrrpd manual keywords.md`; a test keeps it fresh. Each keyword has an example of keepalived.conf and the same in
TOML ([toml.md](toml.md)). Defaults are those of keepalived.conf; where TOML has a safer one, toml.md says so. Lengths of time are numbers in
keepalived.conf and texts with a unit in TOML. The column *reload* says what a changed value needs at a reload: *nothing* (it is used from then on),
*adjust* (what runs follows, without a change of state) or *restart* (the instance begins anew; for a setting of the whole daemon: the daemon has to
be restarted). A simulator compares these with what instances do.
";

/// `docs/keywords.md`.
pub(super) fn markdown(out: &mut dyn Write) -> io::Result<()> {
    out.write_all(HEAD.as_bytes())?;
    for block in keywords() {
        writeln!(out, "\n## {}\n\nTOML: `{}`\n", title(&block), block.table)?;
        writeln!(
            out,
            "| keyword | values | default | example | TOML | reload | meaning |\n|---|---|---|---|---|---|---|"
        )?;
        for keyword in &block.keywords {
            let toml = keyword.toml_example.as_deref().map(code).unwrap_or_default();
            let spelled = format!("{} {}", keyword.name, keyword.args);
            writeln!(
                out,
                "| {} | {} | {} | {} | {} | {} | {} |",
                code(spelled.trim_end()),
                escape(&keyword.range),
                escape(keyword.default),
                code(&keyword.example),
                toml,
                keyword.reload.as_str(),
                escape(&meaning(keyword))
            )?;
        }
    }
    Ok(())
}

fn title(block: &BlockInfo) -> &str {
    if block.path == "(top)" {
        "Outside of all blocks"
    } else {
        block.path
    }
}

fn meaning(keyword: &KeywordInfo) -> String {
    let mut text = keyword.meaning.to_owned();
    if keyword.repeats {
        text.push_str(" May be written several times.");
    }
    if !keyword.synonyms.is_empty() {
        text.push_str(&format!(" Also taken: {}.", keyword.synonyms.join(", ")));
    }
    if !keyword.acts.is_empty() {
        text.push_str(&format!(" ({})", keyword.acts));
    }
    text
}

/// A `|` would end the column.
fn escape(text: &str) -> String {
    text.replace('|', "\\|")
}

fn code(text: &str) -> String {
    format!("`{}`", escape(text))
}

/// vrrpd.conf(5).
pub(super) fn page(out: &mut dyn Write) -> io::Result<()> {
    let mut page = Roff::new();
    page.control("TH", ["vrrpd.conf", "5", super::NO_DATE, "vrrpd", "vrrpd"]);
    page.control("SH", ["NAME"]);
    page.text([roman(
        "vrrpd.conf, vrrpd.toml, keepalived.conf - configuration of vrrpd",
    )]);
    page.control("SH", ["DESCRIPTION"]);
    page.text([roman(
        "vrrpd reads keepalived.conf as keepalived does: lines of a keyword and its values, blocks in braces, comments from # or ! to the end of the line, \"quotes\", include, $definitions, ~SEQ and @conditions. A file whose name ends in .toml is TOML: the same keywords in tables.",
    )]);
    page.control("PP", []);
    page.text([roman(
        "Below, each keyword has its values, its default in keepalived.conf, and an example in both languages.",
    )]);
    for block in keywords() {
        page.control("SH", [title(&block).to_uppercase().as_str()]);
        page.text([roman("TOML: "), italic(block.table.clone())]);
        for keyword in &block.keywords {
            page.control("TP", []);
            page.text([bold(keyword.name), roman(" "), italic(keyword.args)]);
            page.text([roman(meaning(keyword))]);
            for (what, text) in [("Values", keyword.range.as_str()), ("Default", keyword.default)] {
                if !text.is_empty() {
                    page.text([roman(format!("{what}: {text}."))]);
                }
            }
            page.text([roman(format!("Reload: {}.", keyword.reload.as_str()))]);
            page.control("br", []);
            page.text([roman(keyword.example.as_str())]);
            if let Some(toml) = &keyword.toml_example {
                page.control("br", []);
                page.text([roman(toml.as_str())]);
            }
        }
    }
    page.control("SH", ["SEE ALSO"]);
    page.text([
        bold("vrrpd"),
        roman("(8), "),
        bold("vrrpd check"),
        roman(" and "),
        bold("vrrpd convert"),
    ]);
    page.to_writer(out)
}
