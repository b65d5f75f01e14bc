//! Compiles the messages between processes. `bytes` fields become `bytes::Bytes`, so media is not copied.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let protos = ["media", "edge", "scheduler", "worker", "api"].map(|p| format!("proto/{p}.proto"));
    for proto in &protos {
        println!("cargo:rerun-if-changed={proto}");
    }
    tonic_prost_build::configure()
        .bytes(".")
        .compile_protos(&protos, &["proto".to_string()])?;
    Ok(())
}
