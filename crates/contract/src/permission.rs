//! Who may read what. Decided before anything is ranked, never after.

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};

/// A group of readers, as the team names it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Group(pub String);

impl fmt::Display for Group {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Who may read a document.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Permissions {
    /// Whoever can open the project.
    #[default]
    Everyone,
    /// Only readers in at least one of these groups. No group at all: nobody.
    Groups(BTreeSet<Group>),
}

/// Somebody who asks, and the groups they are in.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Reader {
    /// Their groups; none means that they read only what everyone may.
    pub groups: BTreeSet<Group>,
}

impl Permissions {
    /// Returns whether `reader` may read what carries these permissions.
    pub fn allow(&self, reader: &Reader) -> bool {
        match self {
            Self::Everyone => true,
            Self::Groups(groups) => !groups.is_disjoint(&reader.groups),
        }
    }
}

impl Reader {
    /// Returns the reader who is in `groups`.
    pub fn of(groups: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self {
            groups: groups
                .into_iter()
                .map(|group| Group(group.into()))
                .collect(),
        }
    }
}
