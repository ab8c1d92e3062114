"""What jkeras promises when things go wrong, and the tests that hold it to it.

`ROWS` has each row of the table of faults in `../shared/design/TRUST.md`; `test_table.py` sees that
the tests exist.
"""

ROWS = {
    "kill -9 during a save": [
        "faults/test_kills.py::test_killed_while_saving",
        "design/test_resume.py::test_killed_in_an_epoch_and_run_again",
        "design/test_resume.py::test_killed_from_outside_at_random_moments",
        "faults/test_checkpoints.py::test_a_step_that_was_being_replaced",
    ],
    "disk full, I/O error, read-only folder": [
        "faults/test_disk.py::test_a_full_disk",
        "faults/test_disk.py::test_a_file_that_may_not_grow",
        "faults/test_disk.py::test_every_call_that_fails",
        "faults/test_disk.py::test_a_read_only_folder",
        "saving/test_files.py::test_a_save_that_fails_leaves_the_old_file",
    ],
    "power loss": ["faults/test_disk.py::test_content_before_names_before_the_end"],
    "newest checkpoint truncated, flipped, incomplete, a stray file or empty folder": [
        "faults/test_checkpoints.py::test_every_file_in_every_way",
        "faults/test_checkpoints.py::test_strange_things_beside_the_steps",
        "faults/test_checkpoints.py::test_all_damaged_is_one_error_that_lists_each",
        "callbacks/test_saving_and_reports.py::test_a_backup_restores_weights_optimizer_and_epoch",
    ],
    "asynchronous save fails": [
        "faults/test_checkpoints.py::test_a_failure_is_raised_by_the_next_call",
        "faults/test_checkpoints.py::test_a_failure_ends_a_training_at_the_next_step",
        "faults/test_checkpoints.py::test_a_failure_of_the_last_save_is_raised_at_the_end",
    ],
    "SIGTERM": [
        "faults/test_interrupts.py::test_sigterm_saves_and_exits_with_143",
        "faults/test_interrupts.py::test_sigterm_from_outside",
        "faults/test_interrupts.py::test_a_second_sigterm_leaves_at_once",
        "faults/test_interrupts.py::test_between_the_epochs_where_only_steps_are_saved",
        "faults/test_interrupts.py::test_an_error_does_not_swallow_a_signal",
    ],
    "Ctrl-C": [
        "faults/test_interrupts.py::test_random_ctrl_c",
        "faults/test_interrupts.py::test_more_random_ctrl_c",
        "faults/test_interrupts.py::test_a_second_ctrl_c_is_immediate",
        "faults/test_interrupts.py::test_pressed_again_while_a_step_is_under_way",
        "faults/test_interrupts.py::test_between_the_steps",
        "faults/test_interrupts.py::test_hdf5_is_not_broken_into",
        "design/test_custom_training.py::test_ctrl_c_ends_at_a_step_boundary",
        "design/test_custom_training.py::test_ctrl_c_ends_the_training_for_callbacks_too",
    ],
    "resume": [
        "faults/test_resume.py::test_cut_at_a_step",
        "faults/test_resume.py::test_cut_in_the_validation",
        "faults/test_resume.py::test_a_generator_cannot_begin_in_the_middle",
        "faults/test_resume.py::test_a_training_that_was_stopped_early_stays_stopped",
        "design/test_resume.py::test_a_finished_run_started_again_changes_nothing",
        "training/test_accumulation.py::test_a_resumed_training_keeps_the_sums",
    ],
    "NaN or Inf loss": [
        "faults/test_nonfinite.py::test_the_model_is_what_it_was_before_the_step",
        "faults/test_nonfinite.py::test_skipping_goes_on_without_the_step",
        "faults/test_nonfinite.py::test_the_logs_are_those_of_the_steps_that_count",
        "faults/test_nonfinite.py::test_a_single_batch",
        "faults/test_nonfinite.py::test_with_a_loss_scale_the_scale_learns",
    ],
    "ragged last batch": [
        "faults/test_data.py::test_a_ragged_last_batch_counts_by_its_rows",
        "training/test_padding.py::test_a_ragged_fit_equals_keras",
    ],
    "empty data, an iterator shorter than `steps_per_epoch`": [
        "faults/test_data.py::test_no_data",
        "faults/test_data.py::test_less_data_than_promised",
        "test_errors.py::test_mistake",
    ],
    "the data raises mid-epoch": [
        "faults/test_data.py::test_data_that_raises",
        "faults/test_data.py::test_data_that_raises_where_nothing_is_trained",
        "data/test_faults.py::test_errors_of_the_data",
        "data/test_faults.py::test_what_stops_a_training_stops_the_workers",
    ],
    "wrong shapes, types, lengths, object arrays": [
        "test_errors.py::test_mistake",
        "data/test_faults.py::test_what_is_no_data",
        "data/test_faults.py::test_a_batch_that_is_no_array",
    ],
    "labels out of range; (n,) against (n, 1)": [
        "faults/test_data.py::test_labels_out_of_range",
        "faults/test_data.py::test_one_hot_labels_for_a_sparse_loss",
        "faults/test_data.py::test_labels_with_and_without_a_last_axis_are_the_same",
        "test_errors.py::test_mistake",
    ],
    "restore into a changed model": [
        "faults/test_checkpoints.py::test_a_changed_model",
        "faults/test_checkpoints.py::test_a_part_of_it",
        "faults/test_checkpoints.py::test_all_that_fits",
        "design/test_resume.py::test_restore_into_a_changed_model_is_one_error_with_all_paths",
    ],
    "another device count or mesh": [
        "distribution/test_devices.py::test_checkpoints_go_from_one_mesh_to_another"
    ],
    "predict in threads, also while `fit` runs": [
        "faults/test_processes.py::test_eight_threads_predict_while_fit_runs",
        "design/test_threads.py::test_looking_at_a_model_while_another_thread_trains_it",
        "design/test_threads.py::test_two_threads_predict",
    ],
    "fork after JAX has started": [
        "faults/test_processes.py::test_a_fork_is_warned_of",
        "faults/test_processes.py::test_a_model_in_a_process_that_was_spawned",
    ],
    "pickle, copy, deepcopy, clone": [
        "faults/test_processes.py::test_models",
        "faults/test_processes.py::test_layers",
        "faults/test_processes.py::test_optimizers",
        "shell/test_copies.py::test_a_copy_is_a_model_of_its_own",
        "faults/test_processes.py::test_a_clone_has_weights_of_its_own",
    ],
    "a callback raises": [
        "faults/test_callbacks.py::test_the_model_holds_the_last_finished_step",
        "faults/test_callbacks.py::test_in_evaluate",
        "faults/test_callbacks.py::test_in_predict",
        "design/test_custom_training.py"
        "::test_after_an_exception_the_model_holds_the_last_completed_step",
    ],
    "two processes, one checkpoint folder": [
        "faults/test_checkpoints.py::test_two_processes_and_one_folder"
    ],
    "odd surroundings: locale, umask, read-only home, non-ASCII path, symlinked folder": [
        "faults/test_surroundings.py::test_in_a_process_of_its_own",
        "faults/test_surroundings.py::test_names_of_folders",
        "faults/test_surroundings.py::test_the_umask_counts_and_a_files_mode_stays",
        "faults/test_surroundings.py::test_a_folder_that_is_a_link",
        "faults/test_surroundings.py::test_numbers_in_a_locale_with_commas",
    ],
}
