//! The kinds of file. What the kinds share (reading, users, pace, report) stands outside; what differs stands here: the
//! columns, the checks of a row, the plan for a user and how it is applied.

mod cells;
pub mod proficiency;
pub mod user_config;
