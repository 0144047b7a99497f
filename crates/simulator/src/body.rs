//! The slow state of a machine: regime, load, heat, leak, wear, and the ambient around it. Everything here follows its
//! cause with a lag of the first order, solved exactly for any step, so that the period of sampling does not
//! change the physics.

use crate::equipment::{Conditions, Spec};
use crate::fault::Effects;
use crate::random::{Noise, Random};

pub(crate) const DAY_SECONDS: f64 = 86_400.0;
/// A jump of time beyond this starts a new schedule instead of living through all regimes between.
const LONGEST_JUMP_SECONDS: f64 = 86_400.0;
const LOAD_NOISE: f64 = 0.05;
const LOAD_NOISE_LAG: f64 = 9.0;
const AMBIENT_MEAN: f64 = 21.0;
const AMBIENT_DAILY: f64 = 1.2;
const AMBIENT_NOISE: f64 = 0.5;
const AMBIENT_NOISE_LAG: f64 = 400.0;
const LEAK_LAG: f64 = 12.0;
const MOTION_LAG: f64 = 1.5;
const WEAR_PER_HOUR: f64 = 0.000_2;

#[derive(Debug, Clone)]
pub(crate) struct Body {
    regime: usize,
    /// Seconds of the body's own time when the next regime begins.
    regime_ends: f64,
    schedule: Random,
    load: f64,
    temperature: f64,
    leak: f64,
    motion: f64,
    wear: f64,
    load_noise: Noise,
    ambient_noise: Noise,
    /// Seconds of the body's own time, from the first step.
    now: f64,
    /// Length of the ambient's day in seconds; shorter for histories that must see all of it.
    pub(crate) day: f64,
    settled: bool,
    factors: Factors,
}

/// The exponentials of a step. Devices send at a fixed period, so they are nearly always those of the last step.
#[derive(Debug, Clone, Copy, Default)]
struct Factors {
    dt: f64,
    load: f64,
    thermal: f64,
    leak: f64,
    motion: f64,
    load_noise: (f64, f64),
    ambient_noise: (f64, f64),
}

/// exp(-dt / lag), and the weight that keeps coloured noise at a spread of 1.
pub(crate) fn keep_and_fresh(dt: f64, lag: f64) -> (f64, f64) {
    let keep = (-dt / lag).exp();
    (keep, (1.0 - keep * keep).max(0.0).sqrt())
}

impl Factors {
    fn of(dt: f64, spec: &Spec) -> Self {
        Self {
            dt,
            load: (-dt / spec.load_lag).exp(),
            thermal: (-dt / spec.thermal_lag).exp(),
            leak: (-dt / LEAK_LAG).exp(),
            motion: (-dt / MOTION_LAG).exp(),
            load_noise: keep_and_fresh(dt, LOAD_NOISE_LAG),
            ambient_noise: keep_and_fresh(dt, AMBIENT_NOISE_LAG),
        }
    }
}

impl Body {
    pub(crate) fn new(spec: &Spec, mut schedule: Random, random: &mut Random) -> Self {
        let regime = usize::try_from(schedule.next() % spec.regimes.len() as u64).unwrap_or(0);
        let (shortest, longest) = spec.regimes[regime].stay;
        // A machine that is found running is somewhere within a stay.
        let regime_ends = schedule.between(0.2, 1.0) * schedule.between(shortest, longest);
        Self {
            regime,
            regime_ends,
            schedule,
            load: spec.regimes[regime].load,
            temperature: 0.0,
            leak: 0.0,
            motion: 1.0,
            wear: random.between(0.0, 0.1),
            load_noise: Noise::start(random),
            ambient_noise: Noise::start(random),
            now: 0.0,
            day: DAY_SECONDS,
            settled: false,
            factors: Factors::of(0.0, spec),
        }
    }

    pub(crate) fn regime_state(&self, spec: &Spec) -> &'static str {
        spec.regimes[self.regime].state
    }

    /// Moves on by `dt` seconds. `clock` is the time of day in seconds (any origin), for the ambient.
    pub(crate) fn step(
        &mut self,
        spec: &Spec,
        random: &mut Random,
        dt: f64,
        clock: f64,
        stopped: bool,
        effects: Effects,
    ) -> Conditions {
        if dt != self.factors.dt {
            self.factors = Factors::of(dt, spec);
        }
        self.now += dt;
        self.follow_schedule(spec, dt);
        let factors = self.factors;
        let lag = |value: f64, target: f64, keep: f64| target + (value - target) * keep;

        let load_target = if stopped { 0.0 } else { spec.regimes[self.regime].load };
        self.load = lag(self.load, load_target, factors.load);
        let jitter = self.load_noise.step(random, factors.load_noise.0, factors.load_noise.1);
        let load = (self.load + LOAD_NOISE * jitter).clamp(0.0, 1.05);
        self.motion = lag(self.motion, if stopped { 0.0 } else { 1.0 }, factors.motion);
        self.leak = lag(self.leak, effects.leak, factors.leak);
        self.wear = (self.wear + dt / 3_600.0 * WEAR_PER_HOUR).min(1.0);

        let weather = self.ambient_noise.step(random, factors.ambient_noise.0, factors.ambient_noise.1);
        let day = (std::f64::consts::TAU * (clock / self.day).fract()).sin();
        let ambient = AMBIENT_MEAN + AMBIENT_DAILY * day + AMBIENT_NOISE * weather;
        let warmth = (spec.warmth)(load, ambient, &effects, self.motion);
        // A machine found running is warm already.
        self.temperature = if self.settled { lag(self.temperature, warmth, factors.thermal) } else { warmth };
        self.settled = true;

        Conditions {
            load,
            temperature: self.temperature,
            leak: self.leak,
            motion: self.motion,
            wear: self.wear,
            effects,
        }
    }

    fn follow_schedule(&mut self, spec: &Spec, dt: f64) {
        if dt > LONGEST_JUMP_SECONDS {
            self.regime_ends = self.now;
        }
        while self.now >= self.regime_ends {
            let others = spec.regimes.len() as u64 - 1;
            let next = usize::try_from(self.schedule.next() % others).unwrap_or(0);
            // Never the same regime again: skip over the current one.
            self.regime = if next >= self.regime { next + 1 } else { next };
            let (shortest, longest) = spec.regimes[self.regime].stay;
            self.regime_ends += self.schedule.between(shortest, longest);
        }
    }
}
