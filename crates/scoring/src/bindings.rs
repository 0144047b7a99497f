//! Types and calls generated from the contract, `wasm-modules/wit/scorer.wit`.

wasmtime::component::bindgen!({
    path: "../../wasm-modules/wit",
    world: "scorer",
    // The batch's buffers are lent to the call, not cloned for it.
    ownership: Borrowing { duplicate_if_necessary: true },
});
