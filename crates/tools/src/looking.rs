//! Blocking code of ours that looks at files, for a tool that can be stopped.

use std::time::Duration;

use workspace::Patience;

use crate::running::Ports;

/// How long a look may go on past its time before nobody waits for it: a call of git, which is
/// limited by itself, is not cut short. Only a disk that does not answer takes longer.
const LATE: Duration = Duration::from_secs(25);

/// Why there is nothing to see: a sentence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NotSeen(pub(crate) &'static str);

/// Runs `work` on a thread of its own. Its loops are to ask the patience, which is over after
/// `time`, after the tool's stop, and when the tool is dropped; what was seen until then counts
/// unless the tool was stopped.
pub(crate) async fn look<T: Send + 'static>(
    ports: &mut Ports,
    time: Duration,
    work: impl FnOnce(&Patience) -> T + Send + 'static,
) -> Result<T, NotSeen> {
    let patience = Patience::of(time);
    // Nobody waits once this future is gone.
    let _end = EndOnDrop(patience.clone());
    let looking = tokio::task::spawn_blocking(move || work(&patience));
    tokio::select! {
        biased;
        () = ports.stopped() => Err(NotSeen("It was stopped by the user.")),
        looked = looking => looked.map_err(|_| NotSeen("The tool failed.")),
        () = tokio::time::sleep(time + LATE) => Err(NotSeen("It took too long: the disk does not answer.")),
    }
}

struct EndOnDrop(Patience);

impl Drop for EndOnDrop {
    fn drop(&mut self) {
        self.0.end();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use protocol::{CallId, ItemBody, ItemStatus, ToolItem};

    use super::*;
    use crate::running::{RunningTool, ToolEvent, ToolOutcome};

    /// Longer than any test.
    const LONG: Duration = Duration::from_secs(3600);

    fn item() -> ItemBody {
        ItemBody::Tool(ToolItem {
            call: CallId::new("c"),
            tool: "x".to_owned(),
            arguments: String::new(),
            status: ItemStatus::InProgress,
            result: String::new(),
            duration: None,
        })
    }

    /// A tool that looks for as long as somebody has patience, and says on the channel when it
    /// begins and when it has ended.
    fn endless(time: Duration) -> (RunningTool, mpsc::Receiver<&'static str>) {
        let (said, heard) = mpsc::channel();
        let running = RunningTool::new(item(), move |mut ports| async move {
            let looked = look(&mut ports, time, move |patience| {
                said.send("begun").unwrap();
                while !patience.is_over() {
                    std::thread::yield_now();
                }
                said.send("ended").unwrap();
            });
            let output = match looked.await {
                Ok(()) => "seen".to_owned(),
                Err(NotSeen(why)) => why.to_owned(),
            };
            ToolOutcome { item: item(), output }
        });
        (running, heard)
    }

    async fn output(mut running: RunningTool) -> String {
        match running.next().await {
            Some(ToolEvent::Finished(outcome)) => outcome.output,
            other => panic!("{other:?}"),
        }
    }

    #[tokio::test]
    async fn a_stop_ends_the_tool_and_its_loops() {
        let (mut running, heard) = endless(LONG);
        running.stop();
        assert_eq!(output(running).await, "It was stopped by the user.");
        // It may have been stopped before it had begun.
        assert_eq!(heard.iter().last(), Some("ended"));
    }

    #[tokio::test]
    async fn a_dropped_tool_leaves_no_loop_behind() {
        let (mut running, heard) = endless(LONG);
        tokio::select! {
            biased;
            _ = running.next() => panic!("it has ended"),
            // Polled once, it has begun.
            () = std::future::ready(()) => (),
        }
        assert_eq!(heard.recv(), Ok("begun"));
        drop(running);
        assert_eq!(heard.recv(), Ok("ended"));
    }

    #[tokio::test]
    async fn what_was_seen_in_time_counts() {
        let (running, _heard) = endless(Duration::ZERO);
        assert_eq!(output(running).await, "seen");
    }
}
