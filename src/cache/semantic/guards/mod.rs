//! Do two texts differ in a word that their answers will repeat?
