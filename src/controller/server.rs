//! The controller's socket: one task a connection, frames in, frames out.

use super::{
    api::{Call, PROTOCOL, Reply},
    core::Message,
};
use crate::{
    host::ipc,
    job::{JobId, Kind},
};
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

async fn converse(stream: UnixStream, uid: u32, core: UnboundedSender<Message>) {
    let mut allocation = None;
    answer_all(stream, uid, &core, &mut allocation).await;
    if let Some(id) = allocation {
        let (answer, _) = oneshot::channel();
        let _ = core.send(Message { call: Call::GiveUp(id), uid, answer });
    }
}

/// Answers until the other end closes. `allocation` is what it waits for then.
async fn answer_all(mut stream: UnixStream, uid: u32, core: &UnboundedSender<Message>, allocation: &mut Option<JobId>) {
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
                let asks_for_one = matches!(&call, Call::Submit(s) if s.request.kind == Kind::Interactive);
                if let Call::Granted { id, .. } = &call {
                    *allocation = Some(*id);
                }
                let (answer, mut coming) = oneshot::channel();
                if core.send(Message { call, uid, answer }).is_err() {
                    return;
                }
                let (reply, is_gone) = tokio::select! {
                    reply = &mut coming => (reply, false),
                    // Nobody waits for the answer any more; but there may be an allocation now.
                    () = closed(&stream) => match asks_for_one {
                        true => (coming.await, true),
                        false => return,
                    },
                };
                let Ok(frame) = reply else { return };
                if asks_for_one {
                    *allocation = submitted(&frame);
                }
                if is_gone {
                    return;
                }
                frame
            }
            // Another version, or no client of ours.
            _ => ipc::frame(&(PROTOCOL, None::<Reply>)).unwrap_or_default(),
        };
        if stream.write_all(&reply).await.is_err() {
            return;
        }
    }
}

/// The job that an answer says was submitted.
fn submitted(frame: &[u8]) -> Option<JobId> {
    match ipc::parse::<(u16, Option<Reply>)>(frame.get(4..)?).ok()?.1? {
        Reply::Submitted(id) => Some(id),
        Reply::At(_, reply) => match *reply {
            Reply::Submitted(id) => Some(id),
            _ => None,
        },
        _ => None,
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
