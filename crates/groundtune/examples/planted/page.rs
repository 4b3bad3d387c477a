//! Pages that keep what was found: a table stands between two marks and is put there by what made
//! it, never by hand.

use std::error::Error;
use std::path::Path;

/// Puts `found` into `page`, between the mark of `what` and the next mark of an end.
pub(crate) fn put(page: &Path, what: &str, found: &str) -> Result<(), Box<dyn Error>> {
    let text = fs_err::read_to_string(page)?;
    fs_err::write(page, put_into(&text, what, found)?)?;
    Ok(())
}

fn put_into(text: &str, what: &str, found: &str) -> Result<String, String> {
    let (begin, end) = (format!("<!-- {what} -->\n"), "<!-- end -->");
    let (before, rest) = text
        .split_once(&begin)
        .ok_or_else(|| format!("the page has no line `{}`", begin.trim_end()))?;
    let (_, after) = rest
        .split_once(end)
        .ok_or_else(|| format!("the page has no line `{end}` after `{}`", begin.trim_end()))?;
    Ok(format!("{before}{begin}\n{}\n\n{end}{after}", found.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_between_the_marks_is_replaced_and_nothing_else() {
        let page = "a\n<!-- x -->\nold\n<!-- end -->\nb\n<!-- y -->\n<!-- end -->\n";
        let found = put_into(page, "x", "new\n").unwrap();
        assert_eq!(
            found,
            "a\n<!-- x -->\n\nnew\n\n<!-- end -->\nb\n<!-- y -->\n<!-- end -->\n"
        );
        assert_eq!(put_into(&found, "x", "new").unwrap(), found);
        assert!(put_into(page, "z", "new").is_err());
    }
}
