//! What was acknowledged survives, and what a crash tore does not come back.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::PathBuf;

use bytes::Bytes;
use rumqttc::QoS;
use twinwright_local_iot_hub::{HubConfig, HubError, LocalHub, NewEvent};

use super::support::{TestHub, within};

fn newest_file(config: &HubConfig, partition: u32) -> PathBuf {
    let prefix = format!("p{partition}-");
    let files = std::fs::read_dir(config.folder.join("events")).unwrap().map(|entry| entry.unwrap().path());
    files.filter(|path| path.file_name().unwrap().to_str().unwrap().starts_with(&prefix)).max().unwrap()
}

fn event(number: usize) -> NewEvent {
    NewEvent { device_id: "d1".to_owned(), body: Bytes::from(number.to_string()), ..NewEvent::default() }
}

#[tokio::test]
async fn events_and_devices_survive_a_restart_and_numbers_go_on() {
    let hub = TestHub::start().await;
    let mut device = hub.connect("d1").await;
    for number in 0..10 {
        device
            .client
            .publish("devices/d1/messages/events/", QoS::AtLeastOnce, false, number.to_string())
            .await
            .unwrap();
    }
    device.until_acknowledged(10).await;
    let before = hub.events(10).await;
    let string = hub.hub.device_connection_string("d1");
    drop(device);

    let hub = hub.restart(|_| {}).await;
    assert_eq!(hub.events(10).await, before);
    let same_key =
        |text: &Option<String>| text.as_ref().unwrap().split_once("SharedAccessKey=").unwrap().1.to_owned();
    assert_eq!(same_key(&hub.hub.device_connection_string("d1")), same_key(&string));
    let mut device = hub.connect("d1").await;
    device.client.publish("devices/d1/messages/events/", QoS::AtLeastOnce, false, "10").await.unwrap();
    device.until_acknowledged(1).await;
    let after = hub.events(11).await;
    assert_eq!(after[10].sequence, 10);
    assert!(after[10].offset > after[9].offset);
    hub.hub.stop().await;
}

#[tokio::test]
async fn a_torn_tail_is_cut_off() {
    let hub = TestHub::start().await;
    let log = hub.hub.events();
    for number in 0..5 {
        log.append(event(number)).await.unwrap();
    }
    let partition = log.partition_of("d1");
    drop(log);
    // Half a record: its length and checksum, and less than it promises.
    let hub = hub
        .restart(|config| {
            let mut file = OpenOptions::new().append(true).open(newest_file(config, partition)).unwrap();
            file.write_all(&[200, 0, 0, 0, 1, 2, 3, 4, 5, 6]).unwrap();
        })
        .await;
    let log = hub.hub.events();
    assert_eq!(log.last_sequence(partition), Some(4));
    assert_eq!(log.append(event(5)).await.unwrap().sequence, 5);
    drop(log);
    // A whole record whose last byte is wrong.
    let hub = hub
        .restart(|config| {
            let path = newest_file(config, partition);
            let mut bytes = std::fs::read(&path).unwrap();
            *bytes.last_mut().unwrap() ^= 1;
            std::fs::write(&path, bytes).unwrap();
        })
        .await;
    assert_eq!(hub.hub.events().last_sequence(partition), Some(4));
    hub.hub.stop().await;
}

#[tokio::test]
async fn old_events_come_from_files_and_the_oldest_go() {
    let hub = TestHub::start_with(|config| {
        config.partitions = 1;
        config.memory_bytes = 8 << 10;
        config.segment_bytes = 4 << 10;
        config.retention_bytes = 64 << 10;
    })
    .await;
    let log = hub.hub.events();
    for number in 0..200 {
        log.append(event(number)).await.unwrap();
    }
    assert_eq!(log.first_sequence(0), Some(0));
    for from in [0, 1, 63, 64, 65, 150, 199] {
        let read = log.read(0, from, 10).await.unwrap();
        assert_eq!(read[0].sequence, from);
        assert_eq!(read[0].body, from.to_string());
        assert!(read.windows(2).all(|pair| pair[1].sequence == pair[0].sequence + 1));
    }
    assert!(log.read(0, 200, 10).await.unwrap().is_empty());
    assert!(matches!(log.read(1, 0, 10).await, Err(HubError::NoPartition { .. })));
    for number in 200..2000 {
        log.append(event(number)).await.unwrap();
    }
    let first = log.first_sequence(0).unwrap();
    assert!(first > 0, "the oldest files should be gone");
    assert_eq!(log.read(0, 0, 5).await.unwrap()[0].sequence, first, "a read begins at the oldest event kept");
    drop(log);
    let hub = hub.restart(|_| {}).await;
    assert_eq!(hub.hub.events().first_sequence(0), Some(first));
    assert_eq!(hub.hub.events().last_sequence(0), Some(1999));
    hub.hub.stop().await;
}

#[tokio::test]
async fn a_reader_wakes_when_its_event_comes() {
    let hub = TestHub::start().await;
    let log = hub.hub.events();
    let partition = log.partition_of("d1");
    assert_eq!(log.last_sequence(partition), None);
    let waiting = tokio::spawn({
        let log = log.clone();
        async move { log.wait(partition, 1).await }
    });
    log.append(event(0)).await.unwrap();
    assert!(!waiting.is_finished());
    log.append(event(1)).await.unwrap();
    within(waiting).await.unwrap().unwrap();
    hub.hub.stop().await;
    assert!(matches!(log.wait(partition, 99).await, Err(HubError::LogClosed)));
    assert!(matches!(log.append(event(2)).await, Err(HubError::LogClosed)));
}

#[tokio::test]
async fn a_folder_belongs_to_one_hub_and_keeps_its_partitions() {
    let hub = TestHub::start().await;
    let error = LocalHub::start(hub.config.clone()).await.unwrap_err();
    assert!(matches!(error, HubError::FolderInUse { .. }), "{error}");
    let mut other = hub.config.clone();
    hub.hub.stop().await;
    other.partitions = 8;
    let error = LocalHub::start(other).await.unwrap_err();
    assert!(matches!(error, HubError::Partitions { stored: 4, asked: 8 }), "{error}");
}

#[tokio::test]
async fn a_taken_port_is_named_with_its_holder() {
    let hub = TestHub::start().await;
    let folder = tempfile::tempdir().unwrap();
    let mut config = HubConfig::new(folder.path());
    config.mqtt = hub.hub.mqtt_address();
    let error = LocalHub::start(config).await.unwrap_err().to_string();
    assert!(error.contains(&format!("port {} is in use by", hub.hub.mqtt_address().port())), "{error}");
    hub.hub.stop().await;
}
