"""`train.py` in the workers of Ray Train: `python ray_train.py FOLDER --workers 2 --device gpu`."""

import argparse
import pathlib

import ray
from ray.train import FailureConfig, RunConfig, ScalingConfig
from ray.train.v2.jax import JaxConfig, JaxTrainer

HERE = pathlib.Path(__file__).parent


def work(config):
    """What each worker does, once Ray has joined it with the others."""
    from train import train

    print(train(config["folder"], config["epochs"]))


def scaling(options):
    """How many workers there are, and what each of them needs."""
    if options.device == "tpu":
        return ScalingConfig(
            num_workers=options.workers,
            use_tpu=True,
            topology=options.topology,
            accelerator_type=options.accelerator,
        )
    return ScalingConfig(num_workers=options.workers, use_gpu=options.device == "gpu")


def main():
    """Trains; Ray starts all workers again where one fails, at most three times."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", help="for checkpoints and weights, seen by all workers")
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--workers", type=int, default=2, help="GPUs, or machines with TPUs")
    parser.add_argument("--device", choices=["gpu", "tpu", "cpu"], default="gpu")
    parser.add_argument("--topology", help="of a TPU slice, as 4x4")
    parser.add_argument("--accelerator", help="of a TPU slice, as TPU-V6E")
    options = parser.parse_args()
    variables = {"JAX_PLATFORMS": "cpu"} if options.device == "cpu" else {}
    ray.init(runtime_env={"working_dir": str(HERE), "env_vars": variables})
    folder = str(pathlib.Path(options.folder).resolve())
    trainer = JaxTrainer(
        work,
        train_loop_config={"folder": folder, "epochs": options.epochs},
        # Ray joins the workers of accelerators only; JAX_PLATFORMS makes those of GPUs ones of CPUs
        jax_config=JaxConfig(use_tpu=options.device == "tpu", use_gpu=options.device != "tpu"),
        scaling_config=scaling(options),
        run_config=RunConfig(
            storage_path=f"{folder}/ray", failure_config=FailureConfig(max_failures=3)
        ),
    )
    trainer.fit()


if __name__ == "__main__":
    main()
