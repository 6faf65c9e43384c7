"""scVI, on the counts of variable genes and on the processor, whatever torch is installed."""

from collections.abc import Callable
from typing import Any

LIBRARIES = ("scvi-tools", "torch", "lightning", "anndata", "numpy", "scipy")


def correct(
    inputs: dict[str, Any], settings: dict[str, Any], progress: Callable[[float], None]
) -> tuple[dict[str, Any], dict[str, Any]]:
    import warnings

    import anndata
    import numpy as np
    import pandas as pd
    import scvi
    from lightning.pytorch.callbacks import Callback

    counts = inputs["counts"].tocsr().astype(np.float32)
    n_cells = counts.shape[0]
    names = [inputs["levels"][code] for code in inputs["batch"]]
    obs = pd.DataFrame({"batch": pd.Categorical(names)}, index=np.arange(n_cells).astype(str))
    epochs = settings["max_epochs"] or int(min(round(20_000 / n_cells * 400), 400))

    class Tell(Callback):  # type: ignore[misc]
        def on_train_epoch_end(self, trainer: Any, model: Any) -> None:
            progress(min((trainer.current_epoch + 1) / epochs, 1.0))

    warnings.filterwarnings("ignore")
    scvi.settings.seed = settings["seed"]
    data = anndata.AnnData(counts, obs=obs)
    scvi.model.SCVI.setup_anndata(data, batch_key="batch")
    model = scvi.model.SCVI(data, n_latent=settings["n_latent"], n_layers=settings["n_layers"])
    model.train(
        max_epochs=epochs,
        accelerator="cpu",
        early_stopping=True,
        early_stopping_patience=settings["patience"],
        enable_progress_bar=False,
        callbacks=[Tell()],
    )
    done = len(model.history["elbo_validation"])
    return {"embedding": model.get_latent_representation()}, {"epochs": done, "most_epochs": epochs}
