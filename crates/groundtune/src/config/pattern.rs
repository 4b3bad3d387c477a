//! Glob patterns over the files of a project.

use std::fmt;

use globset::{GlobBuilder, GlobMatcher};
use serde::Deserialize;

/// A glob over paths relative to the project, `/` between their parts.
///
/// `*` stands for anything within one name, `**` for any folders, `?` for one
/// character, `{a,b}` for either. It also covers all that lies beneath what it
/// matches, so that `hr` closes the folder `hr` and not only a file of that name.
#[derive(Clone, Deserialize)]
#[serde(try_from = "String")]
pub struct Pattern(GlobMatcher);

impl Pattern {
    /// Returns whether `path` or a folder above it matches.
    pub fn matches(&self, path: &str) -> bool {
        let ends = path
            .match_indices('/')
            .map(|(at, _)| at)
            .chain([path.len()]);
        ends.into_iter().any(|end| self.0.is_match(&path[..end]))
    }

    /// Returns the pattern as it was written, without a trailing `/`.
    pub fn as_str(&self) -> &str {
        self.0.glob().glob()
    }
}

impl TryFrom<String> for Pattern {
    type Error = globset::Error;

    fn try_from(text: String) -> Result<Self, globset::Error> {
        let text = text.trim_start_matches("./").trim_end_matches('/');
        Ok(Self(
            GlobBuilder::new(text)
                .literal_separator(true)
                .build()?
                .compile_matcher(),
        ))
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(pattern: &str, path: &str, expect: bool) {
        let pattern = Pattern::try_from(pattern.to_owned()).unwrap();
        assert_eq!(pattern.matches(path), expect, "{pattern} over {path}");
    }

    #[test]
    fn covers_what_lies_beneath() {
        check("hr", "hr/pay/2026.csv", true);
        check("hr/", "hr/leave.md", true);
        check("hr/**", "hr/pay/2026.csv", true);
        check("./hr/*", "hr/pay/2026.csv", true);
        check("hr", "hrx/leave.md", false);
        check("hr", "docs/hr/leave.md", false);
        check("**/hr", "docs/hr/leave.md", true);
    }

    #[test]
    fn a_star_stays_within_one_name() {
        check("*.md", "a.md", true);
        check("*.md", "docs/a.md", false);
        check("**/*.md", "a.md", true);
        check("docs/*.{md,txt}", "docs/a.txt", true);
    }
}
