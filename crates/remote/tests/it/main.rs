//! Against servers on the loopback that behave and misbehave.
