//! The place of the replay simulator, which will run recorded traffic through the decision code under a virtual clock; still empty.
