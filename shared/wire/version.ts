// The version of Weir that this is, as its package says it; it stands beside what it refused.
export const weirVersion = "0.1.0";
