//! The `connect` function: see `fanout_functions::connect`.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), fanout_functions::Error> {
    fanout_functions::connect::run().await
}
