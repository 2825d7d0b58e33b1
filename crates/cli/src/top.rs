//! `larder top`: a table of all nodes that stays on the screen, with what they did since the last look.

mod figures;
mod view;

use std::io::{self, IsTerminal};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use clap::Args;
use larder_client::Client;
use ratatui::DefaultTerminal;
use ratatui::crossterm::event::{self, Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval};

use crate::pool::AskedPoolArgs;
use crate::time;
use figures::Nodes;

/// A pool to look at.
#[derive(Args)]
pub(crate) struct TopArgs {
    #[command(flatten)]
    pool: AskedPoolArgs,

    /// How often the nodes are asked.
    #[arg(long, value_name = "TIME", default_value = "1s", value_parser = time::duration)]
    every: Duration,
}

/// Asked more often, the asking would be most of what there is to see.
const EVERY_MIN: Duration = Duration::from_millis(100);

/// Shows the table until somebody has seen enough.
pub(crate) async fn run(args: &TopArgs) -> Result<()> {
    if !io::stdout().is_terminal() {
        bail!("top needs a terminal; for anything else there is `larder stats`");
    }
    let client = args.pool.client().await?;
    let mut terminal = ratatui::try_init().context("taking over the terminal")?;
    let shown = show(&mut terminal, &client, args.every.max(EVERY_MIN)).await;
    ratatui::restore();
    shown
}

async fn show(terminal: &mut DefaultTerminal, client: &Client, every: Duration) -> Result<()> {
    let mut events = events();
    let mut nodes = Nodes::default();
    let mut first_row = 0_usize;
    let mut ticks = interval(every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let asked = async {
            ticks.tick().await;
            client.stats("").await
        };
        tokio::pin!(asked);
        let answers = loop {
            terminal.draw(|frame| view::draw(frame, &nodes, &mut first_row))?;
            tokio::select! {
                answers = &mut asked => break answers,
                event = events.recv() => match event.as_ref().map(wish) {
                    None | Some(Wish::Leave) => return Ok(()),
                    Some(Wish::Up) => first_row = first_row.saturating_sub(1),
                    Some(Wish::Down) => first_row += 1,
                    Some(Wish::Nothing) => {}
                },
            }
        };
        nodes.take(answers, Instant::now());
    }
}

/// What a person wants by pressing a key.
#[derive(Debug, PartialEq)]
enum Wish {
    Leave,
    Up,
    Down,
    /// Another size of the screen, for one: the table is drawn again in any case.
    Nothing,
}

fn wish(event: &Event) -> Wish {
    let Event::Key(KeyEvent {
        code,
        modifiers,
        kind: KeyEventKind::Press | KeyEventKind::Repeat,
        ..
    }) = event
    else {
        return Wish::Nothing;
    };
    match code {
        KeyCode::Char('c') if modifiers.contains(KeyModifiers::CONTROL) => Wish::Leave,
        KeyCode::Char('q') | KeyCode::Esc => Wish::Leave,
        KeyCode::Up | KeyCode::Char('k') => Wish::Up,
        KeyCode::Down | KeyCode::Char('j') => Wish::Down,
        _ => Wish::Nothing,
    }
}

/// What happens at the terminal, waited for by a thread of its own: it cannot be waited for in any other way, and it ends
/// with the process.
fn events() -> mpsc::Receiver<Event> {
    let (sender, receiver) = mpsc::channel(16);
    thread::spawn(move || {
        while let Ok(event) = event::read() {
            if sender.blocking_send(event).is_err() {
                return;
            }
        }
    });
    receiver
}
