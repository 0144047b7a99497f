//! How long queries take over HTTPS, of a plant of 100,000 twins and 300,000 relationships; prints one JSON object.
//!
//! Usage: `cargo run --release -p twinwright-local-digital-twins --example bench_queries [-- TWINS]`
//! Figures are medians in milliseconds, of the whole answer as a client has it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use reqwest::Client;
use rustls::pki_types::PrivatePkcs8KeyDer;
use serde_json::{Value, json};
use twinwright_local_digital_twins::{Limits, LocalTwins, TwinsConfig};

type Fault = Box<dyn std::error::Error + Send + Sync>;

/// Machines of one line.
const LINE: usize = 100;
const CLIENTS: usize = 32;
const RUNS: usize = 21;

#[derive(Clone)]
struct Remote {
    client: Client,
    base: String,
    token: String,
}

impl Remote {
    async fn put(&self, path: &str, body: &Value) -> Result<(), Fault> {
        let url = format!("{}{path}?api-version=2023-10-31", self.base);
        let response = self.client.put(url).bearer_auth(&self.token).json(body).send().await?;
        if response.status().is_success() { Ok(()) } else { Err(response.text().await?.into()) }
    }

    async fn post(&self, path: &str, body: &Value) -> Result<Vec<u8>, Fault> {
        let url = format!("{}{path}?api-version=2023-10-31", self.base);
        let request = self.client.post(url).bearer_auth(&self.token).header("max-items-per-page", "1000");
        let response = request.json(body).send().await?;
        let good = response.status().is_success();
        let body = response.bytes().await?;
        if good { Ok(body.to_vec()) } else { Err(String::from_utf8_lossy(&body).into_owned().into()) }
    }

    /// Median time of a query, processor time of one run, and the number of its rows.
    async fn time(&self, query: &str) -> Result<(f64, f64, usize), Fault> {
        let body = json!({"query": query});
        let (mut times, mut rows, mut processor) = (Vec::new(), 0, 0.0);
        for run in 0..RUNS + 3 {
            let start = Instant::now();
            let answer = self.post("/query", &body).await?;
            let took = start.elapsed().as_secs_f64() * 1000.0;
            if run >= 3 {
                times.push(took);
            } else {
                // The last time that this is set is before the first run that counts.
                processor = processor_ms();
                let answer: Value = serde_json::from_slice(&answer)?;
                rows = answer["value"].as_array().map_or(0, Vec::len);
            }
        }
        times.sort_by(f64::total_cmp);
        let processor = (processor_ms() - processor) / RUNS as f64;
        let round = |time: f64| (time * 100.0).round() / 100.0;
        Ok((round(times[times.len() / 2]), round(processor), rows))
    }
}

/// Processor time of this process so far, client included: on a busy machine it says more than the clock. Linux only;
/// elsewhere 0. Its unit is a hundredth of a second.
fn processor_ms() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |field: usize| fields.get(field).and_then(|field| field.parse::<f64>().ok()).unwrap_or(0.0);
    10.0 * (ticks(11) + ticks(12))
}

fn models() -> Value {
    let property = |name: &str, schema: &str| json!({"@type": "Property", "name": name, "schema": schema});
    let interface = |id: &str, extends: &[&str], contents: Vec<Value>| json!({"@context": "dtmi:dtdl:context;2", "@id": id, "@type": "Interface", "extends": extends, "contents": contents});
    let relationship = |name: &str| json!({"@type": "Relationship", "name": name});
    json!([
        interface(
            "dtmi:bench:Asset;1",
            &[],
            vec![
                property("name", "string"),
                property("x", "double"),
                property("serial", "string"),
                property("running", "boolean"),
                relationship("contains"),
                relationship("feeds"),
                relationship("monitors")
            ]
        ),
        interface("dtmi:bench:Machine;1", &["dtmi:bench:Asset;1"], vec![property("speed", "double")]),
        interface("dtmi:bench:Pump;1", &["dtmi:bench:Machine;1"], vec![]),
        interface("dtmi:bench:Press;1", &["dtmi:bench:Machine;1"], vec![]),
        interface("dtmi:bench:Line;1", &["dtmi:bench:Asset;1"], vec![])
    ])
}

fn twin(number: usize) -> (String, Value) {
    let kind = match number % LINE {
        0 => "Line",
        other if other % 2 == 0 => "Pump",
        _ => "Press",
    };
    // Spread over 0 to 10 in no order.
    let x = (number * 7919 % 10_000) as f64 / 1000.0;
    let body = json!({"$metadata": {"$model": format!("dtmi:bench:{kind};1")}, "name": format!("machine {number}"), "x": x,
        "serial": format!("SN-{number:08}"), "running": number.is_multiple_of(3)});
    (format!("/digitaltwins/twin-{number:06}"), body)
}

/// From each twin: from a line to each of its machines, from a machine to the next, and one to anywhere.
fn relationship(number: usize, twins: usize) -> (String, Value) {
    let (from, kind) = (number % twins, number / twins);
    let (source, name, target) = match kind {
        0 => (from / LINE * LINE, "contains", from),
        1 => (from, "feeds", (from + 1) % twins),
        _ => (from, "monitors", (from * 31 + 17) % twins),
    };
    // A line does not contain itself: it leads to the next line instead.
    let target = if source == target { (target + LINE) % twins } else { target };
    let path = format!("/digitaltwins/twin-{source:06}/relationships/{name}-{number}");
    (path, json!({"$relationshipName": name, "$targetId": format!("twin-{target:06}")}))
}

async fn load(
    remote: &Remote,
    count: usize,
    make: fn(usize, usize) -> (String, Value),
    twins: usize,
) -> Result<(), Fault> {
    let next = Arc::new(AtomicUsize::new(0));
    let tasks: Vec<_> = (0..CLIENTS)
        .map(|_| {
            let (remote, next) = (remote.clone(), Arc::clone(&next));
            tokio::spawn(async move {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= count {
                        return Ok::<(), Fault>(());
                    }
                    let (path, body) = make(number, twins);
                    remote.put(&path, &body).await?;
                }
            })
        })
        .collect();
    for task in tasks {
        task.await??;
    }
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), Fault> {
    let twins: usize = std::env::args().nth(1).map_or(Ok(100_000), |count| count.parse())?;
    if twins < 2 * LINE || !twins.is_multiple_of(LINE) {
        return Err(format!("the number of twins must be a multiple of {LINE}, from {} on", 2 * LINE).into());
    }
    rustls::crypto::ring::default_provider().install_default().ok();
    let issued = rcgen::generate_simple_self_signed(["localhost".to_owned()])?;
    let key = PrivatePkcs8KeyDer::from(issued.signing_key.serialize_der());
    let tls = rustls::ServerConfig::builder().with_no_client_auth();
    let tls = tls.with_single_cert(vec![issued.cert.der().clone()], key.into())?;
    let folder = tempfile::tempdir()?;
    let mut config = TwinsConfig::new(folder.path(), Arc::new(tls));
    config.bind = ([127, 0, 0, 1], 0).into();
    config.limits = Limits::lifted();
    let service = LocalTwins::start(config).await?;
    let certificate = reqwest::Certificate::from_pem(issued.cert.pem().as_bytes())?;
    let remote = Remote {
        client: Client::builder().tls_certs_only([certificate]).build()?,
        base: format!("https://localhost:{}", service.address().port()),
        token: service.token().to_owned(),
    };
    remote.post("/models", &models()).await?;
    let start = Instant::now();
    load(&remote, twins, |number, _| twin(number), twins).await?;
    load(&remote, 3 * twins, relationship, twins).await?;
    let loaded = start.elapsed().as_secs_f64();

    let line = format!("twin-{:06}", twins / 2 / LINE * LINE);
    let machine = format!("twin-{:06}", twins / 2 / LINE * LINE + 7);
    let is = "FROM DIGITALTWINS T WHERE IS_OF_MODEL(T, 'dtmi:bench:Machine;1')";
    let queries = [
        ("twins_query_100k_ms", format!("SELECT * {is} AND T.x > 5")),
        ("twins_query_few_rows_ms", format!("SELECT * {is} AND T.x > 9.998")),
        ("twins_query_no_rows_ms", format!("SELECT * {is} AND T.serial = 'none'")),
        (
            "twins_count_ms",
            "SELECT COUNT() FROM DIGITALTWINS WHERE IS_OF_MODEL('dtmi:bench:Machine;1')".into(),
        ),
        ("twins_count_filter_ms", format!("SELECT COUNT() {is} AND T.x > 5")),
        ("twins_by_id_ms", format!("SELECT * FROM DIGITALTWINS T WHERE T.$dtId = '{machine}'")),
        (
            "twins_match_3hops_ms",
            format!(
                "SELECT d FROM DIGITALTWINS MATCH (a)-[:contains]->(b)-[:feeds]->(c)-[:monitors]->(d) WHERE a.$dtId = '{line}'"
            ),
        ),
        (
            "twins_match_range_ms",
            format!("SELECT b FROM DIGITALTWINS MATCH (a)-[*..3]->(b) WHERE a.$dtId = '{line}'"),
        ),
        (
            "twins_match_undirected_ms",
            format!("SELECT b FROM DIGITALTWINS MATCH (a)-[*3]-(b) WHERE a.$dtId = '{machine}'"),
        ),
        (
            "twins_join_ms",
            format!(
                "SELECT B, C.x FROM DIGITALTWINS A JOIN B RELATED A.contains JOIN C RELATED B.feeds JOIN D RELATED C.monitors WHERE A.$dtId = '{line}' AND C.x > 5"
            ),
        ),
        (
            "twins_relationships_by_target_ms",
            format!("SELECT * FROM RELATIONSHIPS R WHERE R.$targetId = '{line}'"),
        ),
        (
            "twins_relationships_by_name_ms",
            "SELECT * FROM RELATIONSHIPS R WHERE R.$relationshipName = 'monitors'".into(),
        ),
    ];
    let mut figures =
        json!({"twins": twins, "relationships": 3 * twins, "load_s": (loaded * 10.0).round() / 10.0});
    let (mut rows, mut processor) = (json!({}), json!({}));
    for (name, query) in queries {
        let (time, used, count) = remote.time(&query).await?;
        figures[name] = time.into();
        processor[name] = used.into();
        rows[name] = count.into();
    }
    figures["rows"] = rows;
    figures["processor_ms"] = processor;
    println!("{figures}");
    service.stop().await;
    Ok(())
}
