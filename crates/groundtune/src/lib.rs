//! groundtune
