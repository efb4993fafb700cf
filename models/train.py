"""Train a model of the lab: Lightning's command line over the YAML files in configs/models/.

    python -m models.train fit --config configs/models/hitnet.yaml --data.init_args.pools "[POOL]"

Logs, checkpoints and pictures go to the trainer's root folder; ``--ckpt_path last`` goes on where a run was cut off.
"""

from pytorch_lightning.cli import LightningCLI


def main() -> None:
    """Run the command line."""
    LightningCLI(
        subclass_mode_model=True,
        subclass_mode_data=True,
        save_config_kwargs={"overwrite": True},
        parser_kwargs={"parser_mode": "yaml"},
    )


if __name__ == "__main__":
    main()
