//! The program as its users meet it: real folders, the real binary, whole screens.

mod init;
mod support;
mod usage;
