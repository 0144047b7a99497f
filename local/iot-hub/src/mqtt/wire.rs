//! Packets on a byte stream, with bounded buffers both ways.

use std::time::Duration;

use bytes::BytesMut;
use rumqttc::mqttbytes::Error as CodecError;
use rumqttc::mqttbytes::v4::Packet;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// Bytes made ready for one read from the stream.
const READ: usize = 32 << 10;
/// Bytes that may wait to be sent before reading goes on.
const MAX_OUTPUT: usize = 256 << 10;
/// A device that takes nothing for so long is gone.
const WRITE_WITHIN: Duration = Duration::from_secs(30);

/// Why a stream gives no more packets.
#[derive(Debug, thiserror::Error)]
pub(super) enum WireError {
    #[error("the device closed the connection")]
    Closed,
    #[error("connection lost: {0}")]
    Io(#[from] std::io::Error),
    #[error("the device does not read what is sent to it")]
    Stuck,
    #[error("not MQTT 3.1.1: {0}")]
    Codec(CodecError),
    #[error("packet type {0} does not come from a device")]
    Type(u8),
}

/// A stream with its buffers.
pub(super) struct Wire<S> {
    stream: S,
    input: BytesMut,
    output: BytesMut,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Wire<S> {
    pub(super) fn new(stream: S) -> Self {
        Self { stream, input: BytesMut::new(), output: BytesMut::new() }
    }

    /// The next whole packet in the buffer, of at most `max` bytes after its header.
    pub(super) fn packet(&mut self, max: usize) -> Result<Option<Packet>, WireError> {
        match self.input.first().map(|byte| byte >> 4) {
            None => return Ok(None),
            // CONNECT, PUBLISH, PUBACK, SUBSCRIBE, UNSUBSCRIBE, PINGREQ, DISCONNECT: others never come from a device
            // that speaks QoS 0 and 1, so the codec never sees them.
            Some(1 | 3 | 4 | 8 | 10 | 12 | 14) => {}
            Some(other) => return Err(WireError::Type(other)),
        }
        match Packet::read(&mut self.input, max) {
            Ok(packet) => Ok(Some(packet)),
            Err(CodecError::InsufficientBytes(_)) => Ok(None),
            Err(error) => Err(WireError::Codec(error)),
        }
    }

    /// Reads more bytes. Loses nothing if it is dropped half-way.
    pub(super) async fn fill(&mut self) -> Result<(), WireError> {
        self.input.reserve(READ);
        match self.stream.read_buf(&mut self.input).await? {
            0 => Err(WireError::Closed),
            _ => Ok(()),
        }
    }

    /// Puts a packet behind those waiting to be sent.
    pub(super) fn push(&mut self, packet: &Packet) -> Result<(), WireError> {
        packet.write(&mut self.output, usize::MAX).map(drop).map_err(WireError::Codec)
    }

    /// Sends what waits if it has become much, so that many small requests cannot pile up large answers.
    pub(super) async fn relieve(&mut self) -> Result<(), WireError> {
        if self.output.len() > MAX_OUTPUT { self.flush().await } else { Ok(()) }
    }

    /// Sends what waits.
    pub(super) async fn flush(&mut self) -> Result<(), WireError> {
        if self.output.is_empty() {
            return Ok(());
        }
        let sending = async {
            self.stream.write_all(&self.output).await?;
            self.stream.flush().await
        };
        tokio::time::timeout(WRITE_WITHIN, sending).await.map_err(|_| WireError::Stuck)??;
        self.output.clear();
        Ok(())
    }

    /// Ends TLS in good order, if the device still listens.
    pub(super) async fn shutdown(&mut self) {
        let _ = tokio::time::timeout(Duration::from_secs(1), self.stream.shutdown()).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn any_bytes_are_packets_or_an_error(kind in 0_u8..16, flags in 0_u8..16, bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let mut wire = Wire::new(tokio::io::empty());
            // A true length, so that the fields behind it are reached.
            let length = bytes.len();
            wire.input.extend_from_slice(&[kind << 4 | flags]);
            if length < 128 {
                wire.input.extend_from_slice(&[length as u8]);
            } else {
                wire.input.extend_from_slice(&[(length % 128) as u8 | 0x80, (length / 128) as u8]);
            }
            wire.input.extend_from_slice(&bytes);
            while let Ok(Some(_)) = wire.packet(1 << 16) {}
            let mut raw = Wire::new(tokio::io::empty());
            raw.input.extend_from_slice(&bytes);
            while let Ok(Some(_)) = raw.packet(1 << 16) {}
        }
    }
}
