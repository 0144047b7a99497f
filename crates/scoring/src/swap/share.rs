//! Which devices a canary serves.

use sha2::{Digest as _, Sha256};

/// Whether a device belongs to the first so many per cent. The same device belongs to it on every instance and after
/// every start; a growing share keeps the devices it had; another release begins with other devices (`seed` is its
/// hash), so that it is not always the same machines that try what is new.
pub fn in_share(device: &str, seed: &str, percent: u8) -> bool {
    let hash = Sha256::new().chain_update(seed).chain_update([0]).chain_update(device).finalize();
    let number = hash.iter().take(8).fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
    number % 100 < u64::from(percent)
}

#[cfg(test)]
mod tests {
    use super::in_share;

    #[test]
    fn shares_are_fair_nested_and_differ_by_release() {
        let devices: Vec<String> = (0..10_000).map(|number| format!("pump-{number}")).collect();
        let within = |seed: &str, percent| devices.iter().filter(|id| in_share(id, seed, percent)).count();
        for percent in [1, 10, 50] {
            let got = within("a", percent) as f64 / 100.0;
            assert!((got - f64::from(percent)).abs() < 2.0, "{percent} %: {got}");
        }
        assert_eq!((within("a", 0), within("a", 100)), (0, 10_000));
        assert!(
            devices.iter().all(|id| !in_share(id, "a", 10) || in_share(id, "a", 20)),
            "a share only grows"
        );
        let both = devices.iter().filter(|id| in_share(id, "a", 10) && in_share(id, "b", 10)).count();
        assert!(both < 200, "releases begin with different devices: {both}");
    }
}
