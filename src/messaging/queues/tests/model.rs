//! A queue and a plain model of it do the same, over random sequences of what can be done and of time that passes.
