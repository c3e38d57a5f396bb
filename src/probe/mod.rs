//! The wire: one check, hop by hop.
