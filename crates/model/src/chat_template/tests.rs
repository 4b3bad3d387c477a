//! Templates written here.
