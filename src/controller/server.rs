//! The controller's socket: one task a connection, frames in, frames out.

use super::{
    api::{Call, PROTOCOL, Reply},
    core::Message,
};
use crate::host::ipc;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{UnixListener, UnixStream},
    sync::{mpsc::UnboundedSender, oneshot},
};

/// Serves connections of this user and of root; others are closed at once.
pub async fn serve(listener: UnixListener, core: UnboundedSender<Message>) {
    let own = nix::unistd::geteuid().as_raw();
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                let peer = stream.peer_cred().map(|c| c.uid());
                if let Ok(uid) = peer.inspect_err(|error| tracing::warn!(%error, "peer unknown"))
                    && (uid == own || uid == 0)
                {
                    tokio::spawn(converse(stream, uid, core.clone()));
                }
            }
            Err(error) => {
                // Out of file handles, most likely: those in use will come free.
                tracing::warn!(%error, "connection not accepted");
                tokio::time::sleep(std::time::Duration::from_millis(100)).await;
            }
        }
    }
}

async fn converse(mut stream: UnixStream, uid: u32, core: UnboundedSender<Message>) {
    while let Ok(length) = stream.read_u32().await {
        if length > ipc::MAX_FRAME {
            return;
        }
        let mut body = Vec::new();
        match (&mut stream).take(u64::from(length)).read_to_end(&mut body).await {
            Ok(read) if read == length as usize => {}
            _ => return,
        }
        let reply = match ipc::parse::<(u16, Call)>(&body) {
            Ok((PROTOCOL, call)) => {
                drop(body);
                let allocation = match &call {
                    Call::Granted { id, .. } => Some(*id),
                    _ => None,
                };
                let (answer, coming) = oneshot::channel();
                if core.send(Message { call, uid, answer }).is_err() {
                    return;
                }
                tokio::select! {
                    reply = coming => match reply {
                        Ok(frame) => frame,
                        Err(_) => return,
                    },
                    // Nobody waits for the answer any more.
                    () = closed(&stream) => {
                        if let Some(id) = allocation {
                            let (answer, _) = oneshot::channel();
                            let _ = core.send(Message { call: Call::GiveUp(id), uid, answer });
                        }
                        return;
                    }
                }
            }
            // Another version, or no client of ours.
            _ => ipc::frame(&(PROTOCOL, None::<Reply>)).unwrap_or_default(),
        };
        if stream.write_all(&reply).await.is_err() {
            return;
        }
    }
}

/// Ends when the other end has closed; a client that asks the next thing early is not that.
async fn closed(stream: &UnixStream) {
    loop {
        if stream.readable().await.is_err() {
            return;
        }
        let peeked = nix::sys::socket::recv(
            std::os::fd::AsRawFd::as_raw_fd(stream),
            &mut [0u8; 1],
            nix::sys::socket::MsgFlags::MSG_PEEK | nix::sys::socket::MsgFlags::MSG_DONTWAIT,
        );
        match peeked {
            Ok(0) => return,
            Ok(_) => std::future::pending().await,
            Err(nix::errno::Errno::EAGAIN) => {
                let _ = stream.try_io(tokio::io::Interest::READABLE, || -> std::io::Result<()> {
                    Err(std::io::ErrorKind::WouldBlock.into())
                });
            }
            Err(_) => return,
        }
    }
}
