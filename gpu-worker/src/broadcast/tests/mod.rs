//! Whole broadcasts: a real source, a real codec child, an edge and a store that do what they are told.

mod faults;
mod starved;
mod stills;
mod whole;
