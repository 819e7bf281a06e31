//! Objects in S3, in our words. Only [`s3`] knows `aws_sdk_s3`.

mod location;
mod s3;

pub(crate) use location::{Head, Location, StoreError};
pub use s3::Store;
pub(crate) use s3::{Body, Upload};
