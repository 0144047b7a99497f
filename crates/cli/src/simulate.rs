//! Simulated machines as devices: MQTT over TLS to the hub, telemetry out, `emergencyStop` in.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use anyhow::{Context as _, bail};
use rumqttc::{AsyncClient, Event, MqttOptions, Packet, QoS, TlsConfiguration, Transport};
use tokio::task::JoinSet;
use twinwright_app::clock::now;
use twinwright_azure::hub::NewDevice;
use twinwright_local_iot_hub::sas;
use twinwright_simulator::{Machine, Plant, PlantConfig, Scenario, Truth};

use crate::connection::Connection;

/// How long after an emergency stop the operator has mended the machine and starts it again.
const REPAIR: Duration = Duration::from_secs(8);
/// Validity of a device's token: the demo's longest sensible run.
const TOKEN: Duration = Duration::from_secs(86_400);
/// Readings that nobody sees before the first one that is sent.
const WARM_UP: i64 = 1_200;
const API: &str = "api-version=2021-04-12&DeviceClientType=twinwright-simulator";

/// What to simulate.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Equipment and faults.
    pub scenario: Scenario,
    /// Seed.
    pub seed: u64,
    /// Time between two readings of a machine.
    pub period: Duration,
    /// How much faster than real time machines live.
    pub time_scale: f64,
    /// Length of the run; `None` runs until stopped.
    pub length: Option<Duration>,
}

/// Counters of a run.
#[derive(Debug, Default)]
pub struct Counts {
    /// Readings handed to the network.
    pub sent: AtomicU64,
    /// Readings that the hub has confirmed to hold.
    pub confirmed: AtomicU64,
    /// Machines stopped by a command.
    pub stopped: AtomicU64,
    end: AtomicBool,
}

impl Counts {
    /// Asks the machines to end.
    pub fn stop(&self) {
        self.end.store(true, Ordering::Relaxed);
    }
}

/// A simulation under way.
pub struct Simulation {
    /// Counters.
    pub counts: Arc<Counts>,
    /// When what was wrong.
    pub truth: Vec<Truth>,
    tasks: JoinSet<anyhow::Result<()>>,
}

/// A scenario by name or file.
///
/// # Errors
/// Names the built-in ones.
pub fn scenario(name: &str) -> anyhow::Result<Scenario> {
    if name.ends_with(".json") {
        let text = std::fs::read_to_string(name).with_context(|| format!("cannot read scenario {name}"))?;
        return Ok(Scenario::parse(&text)?);
    }
    Ok(Scenario::built_in(name)?)
}

/// Registers the machines as devices and starts them.
///
/// # Errors
/// The hub cannot be reached, or the scenario is faulty.
pub async fn start(connection: &Connection, plan: &Plan) -> anyhow::Result<Simulation> {
    let mut config = PlantConfig::new(plan.seed, plan.scenario.clone(), now());
    config.run_us = plan.length.and_then(|length| i64::try_from(length.as_micros()).ok());
    config.time_scale = plan.time_scale;
    let plant = Plant::new(&config)?;
    let truth = plant.truth();
    let counts = Arc::new(Counts::default());
    let mut tasks = JoinSet::new();
    for machine in plant.into_machines() {
        let id = machine.device_id().to_string();
        let options = mqtt_options(connection, &id).await?;
        tasks.spawn(run(machine, options, plan.period, plan.length, Arc::clone(&counts)));
    }
    Ok(Simulation { counts, truth, tasks })
}

impl Simulation {
    /// Waits for the end and for all confirmations.
    ///
    /// # Errors
    /// The first machine's failure.
    pub async fn join(&mut self) -> anyhow::Result<()> {
        while let Some(ended) = self.tasks.join_next().await {
            ended??;
        }
        Ok(())
    }
}

/// How a device connects; it is registered if it is not yet.
///
/// # Errors
/// The hub cannot be reached or refuses.
pub async fn mqtt_options(connection: &Connection, id: &str) -> anyhow::Result<MqttOptions> {
    let hub = connection.hub()?;
    let device = match hub.get_device(id).await? {
        Some(device) => device,
        None => hub.create_device(&NewDevice { id: id.to_owned(), enabled: true, keys: None }).await?,
    };
    let Some(key) = &device.primary_key else { bail!("device {id} has no key") };
    let ca = std::fs::read(&connection.ca_file).context("cannot read the platform's CA")?;
    let host = &connection.hub_host_name;
    let resource = format!("{host}/devices/{id}");
    let token = sas::sign(&resource, key.reveal(), SystemTime::now() + TOKEN, None)
        .context("the device's key is not base64")?;
    let mut options = MqttOptions::new(id, host.as_str(), connection.mqtt_port);
    options.set_credentials(format!("{host}/{id}/?{API}"), token);
    options.set_keep_alive(Duration::from_secs(30));
    options.set_clean_session(false);
    options.set_inflight(100);
    options.set_max_packet_size(262_144, 262_144);
    let tls = TlsConfiguration::Simple { ca, alpn: None, client_auth: None };
    options.set_transport(Transport::Tls(tls));
    Ok(options)
}

async fn run(
    machine: Machine,
    options: MqttOptions,
    period: Duration,
    length: Option<Duration>,
    counts: Arc<Counts>,
) -> anyhow::Result<()> {
    let id = machine.device_id().to_string();
    let topic = format!("devices/{id}/messages/events/%24.ct=application%2Fjson&%24.ce=utf-8");
    let machine = Arc::new(Mutex::new(machine));
    let (client, mut network) = AsyncClient::new(options, 200);
    client.subscribe("$iothub/methods/POST/#", QoS::AtMostOnce).await?;
    let own_confirmed = Arc::new(AtomicU64::new(0));
    let receiver = {
        let (client, machine) = (client.clone(), Arc::clone(&machine));
        let (counts, own_confirmed) = (Arc::clone(&counts), Arc::clone(&own_confirmed));
        tokio::spawn(async move {
            loop {
                match network.poll().await {
                    Ok(Event::Incoming(Packet::PubAck(_))) => {
                        counts.confirmed.fetch_add(1, Ordering::Relaxed);
                        own_confirmed.fetch_add(1, Ordering::Relaxed);
                    }
                    Ok(Event::Incoming(Packet::Publish(message))) => {
                        let Some(reply) = method(&message.topic, &machine, &counts) else { continue };
                        let sent = client.publish(reply.0, QoS::AtMostOnce, false, reply.1).await;
                        if sent.is_err() {
                            return;
                        }
                    }
                    Ok(_) => {}
                    // rumqttc sends unconfirmed readings again once it is back.
                    Err(_) if !counts.end.load(Ordering::Relaxed) => {
                        tokio::time::sleep(Duration::from_millis(200)).await
                    }
                    Err(_) => return,
                }
            }
        })
    };
    warm_up(&machine, period);
    let started = tokio::time::Instant::now();
    let mut ticks = tokio::time::interval(period);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut own_sent = 0;
    while !counts.end.load(Ordering::Relaxed) && length.is_none_or(|length| started.elapsed() < length) {
        ticks.tick().await;
        let text = machine.lock().unwrap_or_else(PoisonError::into_inner).step(now()).to_json();
        client.publish(topic.clone(), QoS::AtLeastOnce, false, text).await?;
        counts.sent.fetch_add(1, Ordering::Relaxed);
        own_sent += 1;
    }
    let deadline = tokio::time::Instant::now() + Duration::from_secs(20);
    while own_confirmed.load(Ordering::Relaxed) < own_sent {
        if tokio::time::Instant::now() > deadline {
            bail!("{id}: the hub confirmed {} of {own_sent} readings", own_confirmed.load(Ordering::Relaxed));
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let _ = client.disconnect().await;
    receiver.abort();
    Ok(())
}

/// Lets the machine run before anybody looks, so that it does not start cold.
fn warm_up(machine: &Mutex<Machine>, period: Duration) {
    let mut machine = machine.lock().unwrap_or_else(PoisonError::into_inner);
    let period = i64::try_from(period.as_micros()).unwrap_or(1_000_000);
    let end = now();
    for step in (1..=WARM_UP).rev() {
        machine.step(end - step * period);
    }
}

/// Answers a direct method: topic and payload of the reply.
fn method(topic: &str, machine: &Arc<Mutex<Machine>>, counts: &Counts) -> Option<(String, String)> {
    let rest = topic.strip_prefix("$iothub/methods/POST/")?;
    let (name, query) = rest.split_once("/?")?;
    let request = query.strip_prefix("$rid=")?;
    if name != "emergencyStop" {
        let reply = format!("$iothub/methods/res/404/?$rid={request}");
        return Some((reply, r#"{"error":"this machine knows only emergencyStop"}"#.to_owned()));
    }
    machine.lock().unwrap_or_else(PoisonError::into_inner).emergency_stop();
    counts.stopped.fetch_add(1, Ordering::Relaxed);
    let machine = Arc::clone(machine);
    tokio::spawn(async move {
        tokio::time::sleep(REPAIR).await;
        let mut machine = machine.lock().unwrap_or_else(PoisonError::into_inner);
        machine.repair();
        machine.restart();
    });
    Some((format!("$iothub/methods/res/200/?$rid={request}"), r#"{"stopped":true}"#.to_owned()))
}
