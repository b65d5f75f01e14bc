//! `headwater channel`: channels from the command line, for operators and scripts.

use clap::{Args, Subcommand};
use headwater_api::{DatabaseConfig, channel, tenant};

/// What can be done with channels.
#[derive(Subcommand)]
pub enum Command {
    /// Makes a channel and prints its stream key, which is shown this once.
    Create(Create),
}

/// A new channel.
#[derive(Args)]
pub struct Create {
    /// Title that people see.
    #[arg(long)]
    name: String,
    /// Tenant that owns it; made when it does not exist.
    #[arg(long, default_value = "demo")]
    tenant: String,
    /// `low`: seconds behind live. `standard`: more behind, better picture per bit.
    #[arg(long, default_value = "low", value_parser = ["low", "standard"])]
    latency: String,
    /// `default`: smaller renditions are encoded beside the source. `source`: the source alone, passed through.
    #[arg(long, default_value = "default", value_parser = ["default", "source"])]
    ladder: String,
    /// Print one JSON object instead of sentences.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    database: DatabaseConfig,
}

/// Does it.
pub async fn execute(command: Command) -> anyhow::Result<()> {
    let Command::Create(create) = command;
    let database = create.database.open()?;
    let tenant = tenant::ensure(&database, &create.tenant, &create.tenant).await?;
    let new = channel::New {
        latency_mode: create.latency.parse()?,
        ladder: create.ladder.parse()?,
        ..channel::New::titled(tenant.id, create.name)
    };
    let made = channel::create(&database, new).await?;
    database.close().await;
    if create.json {
        let answer = serde_json::json!({
            "channel_id": made.channel_id.to_string(),
            "stream_key": made.stream_key.expose(),
            "playback_id": made.playback_id.to_string(),
        });
        println!("{answer}");
    } else {
        println!("Channel       {}", made.channel_id);
        println!("Playback id   {}", made.playback_id);
        println!("Stream key    {}   (shown this once)", made.stream_key.expose());
    }
    Ok(())
}
