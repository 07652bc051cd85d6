//! The one program: which command am I?
fn main() {}
