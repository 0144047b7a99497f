//! The port of the twins: twins in memory, and the local service as Azure runs it, with its rate limits and queries that
//! lag.

use std::time::Duration;

use serde_json::json;
use twinwright_app::adapters::AzureTwins;
use twinwright_app::config::Twins;
use twinwright_local_digital_twins::{LocalTwins, TwinsConfig};
use twinwright_local_iot_hub::certs;
use twinwright_tests::port::{MemoryTwins, twin_port};

const MODEL: &str = "dtmi:plant:Machine;1";

#[test]
fn azure_digital_twins_keep_the_promises_of_the_port() -> anyhow::Result<()> {
    let _ = rustls::crypto::ring::default_provider().install_default();
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(async {
        let folder = tempfile::tempdir()?;
        let certificates = certs::ensure(&folder.path().join("certs"), &[])?;
        let mut config = TwinsConfig::new(folder.path().join("twins"), certificates.http_config());
        config.bind = ([127, 0, 0, 1], 0).into();
        config.query_lag = Duration::from_secs(30);
        let service = LocalTwins::start(config).await?;
        let settings = Twins {
            url: format!("https://localhost:{}", service.address().port()),
            token_file: service.token_file().to_owned(),
            ca_file: certificates.ca_path.clone(),
            parallel: 1,
        };
        let twins = AzureTwins::new(&settings)?.ok_or_else(|| anyhow::anyhow!("no twins"))?;
        let property = json!({ "@type": "Property", "name": "observedAt", "schema": "dateTime" });
        let model =
            json!({ "@context": "dtmi:dtdl:context;2", "@id": MODEL, "@type": "Interface", "contents": [property] });
        twins.client().add_models(&[model]).await?;
        twins.client().put_twin("machine", &json!({ "$metadata": { "$model": MODEL } })).await?;
        twin_port(&twins, "machine", "nobody").await.map_err(anyhow::Error::msg)?;
        let lagging = twins.query("SELECT * FROM DIGITALTWINS").await?;
        anyhow::ensure!(lagging.is_empty(), "queries lag here, and the port does not mind: {lagging:?}");
        service.stop().await;
        Ok(())
    })
}

#[tokio::test]
async fn twins_in_memory_keep_the_promises_of_the_port() -> anyhow::Result<()> {
    let twins = MemoryTwins::default();
    twins.create("machine");
    twin_port(&twins, "machine", "nobody").await.map_err(anyhow::Error::msg)
}
