//! The `publish` function: see `fanout_functions::publish`.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), fanout_functions::Error> {
    fanout_functions::publish::run().await
}
