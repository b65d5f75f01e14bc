//! The planner against a simulated farm: text scenarios with the expected plans checked in, and random worlds.

mod random;
mod scenario;
mod world;
