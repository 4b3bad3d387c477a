//! What there is to know about examples before a model learns from them.
