//! dev
pub mod child;
pub mod demo;
pub mod folder;
pub mod postgres;
pub mod redis;
pub mod s3;
