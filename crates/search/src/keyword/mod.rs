//! Keyword search.
