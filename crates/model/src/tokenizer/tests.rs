//! Small vocabularies made here.
