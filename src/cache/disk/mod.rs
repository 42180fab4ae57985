//! Where do answers outlive a restart?
