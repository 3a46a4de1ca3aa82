//! The contract of the coordinator: the same cases on everything that implements it.
//!
//! Each case is a sentence in `tests/contract/` and owns its coordinator, empty at first. `DWORKER_TEST_SERVER` names
//! another server program than the `redis-server` on the path.

#[path = "support/redis_server.rs"]
mod redis_server;

#[path = "support/disturbance.rs"]
mod disturbance;

mod contract {
    pub mod claims;
    pub mod cluster;
    pub mod departures;
    pub mod entries;
    pub mod following;
    pub mod handles;
    pub mod healing;
    pub mod histories;
    pub mod idle;
    pub mod inventory;
    pub mod lasting;
    pub mod membership;
    pub mod placement;
    pub mod stored;
    pub mod texts;
    pub mod timers;
}

use contract::cluster::{Cluster, Connect, Disturb, Handle};
use contract::*;
use disturbance::{disturb_server, disturb_store};
use dworker::coordination::memory::{MemoryCoordinator, MemoryStore, Snapshot};
use dworker::coordination::redis::RedisCoordinator;
use redis_server::RedisServer;
use std::collections::HashMap;
use std::future::Future;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

/// Any day will do.
const START: u64 = 1_780_000_000_000;

fn run<F: Future<Output = ()>>(make: fn() -> Cluster, case: fn(Cluster) -> F) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    runtime.expect("a runtime starts").block_on(async { case(make()).await });
}

/// A namespace, and what it can be rolled back to.
type Kept = (MemoryStore, Option<Snapshot>);

/// The embedded coordinator on a clock that the case sets.
fn memory() -> Cluster {
    let clock = Arc::new(AtomicU64::new(START));
    let stores: Arc<Mutex<HashMap<String, Kept>>> = Arc::default();
    let (told, disturbed) = (clock.clone(), stores.clone());
    let connect: Connect = Box::new(move |namespace| {
        let clock = told.clone();
        let new = move || (MemoryStore::with_clock(Arc::new(move || clock.load(Ordering::SeqCst))), None);
        let mut stores = stores.lock().expect("no case panics here");
        let (store, _) = stores.entry(namespace.into()).or_insert_with(new);
        Arc::new(MemoryCoordinator::new(store.clone())) as Handle
    });
    let disturb: Disturb = Box::new(move |what| {
        let mut stores = disturbed.lock().expect("no case panics here");
        stores.values_mut().for_each(|(store, snapshot)| disturb_store(store, snapshot, what));
    });
    Cluster::new(connect, Some(clock), disturb)
}

/// A private server on its own clock.
fn redis() -> Cluster {
    on_server(None)
}

/// A private server that takes the case's clock for its own, as it must where scripts cannot read the time.
fn redis_with_passed_clock() -> Cluster {
    on_server(Some(Arc::new(AtomicU64::new(START))))
}

fn on_server(clock: Option<Arc<AtomicU64>>) -> Cluster {
    let server = RedisServer::start();
    let (config, told) = (server.config(), clock.clone());
    let connect: Connect = Box::new(move |namespace| {
        let coordinator = RedisCoordinator::new(&config, namespace, tokio::runtime::Handle::current());
        Arc::new(match told.clone() {
            Some(clock) => coordinator.with_clock(Arc::new(move || clock.load(Ordering::SeqCst))),
            None => coordinator,
        })
    });
    let server = Mutex::new(server);
    let disturb = Box::new(move |what| disturb_server(&mut server.lock().expect("no case panics here"), what));
    Cluster::new(connect, clock, disturb)
}

macro_rules! cases {
    ($($module:ident { $($case:ident)* })*) => {
        cases!(@on memory, $($module $($case)*;)*);
        cases!(@on redis, $($module $($case)*;)*);
        cases!(@on redis_with_passed_clock, $($module $($case)*;)*);
    };
    (@on $backend:ident, $($module:ident $($case:ident)*;)*) => {
        mod $backend {
            $(mod $module {
                $(#[test]
                fn $case() {
                    crate::run(crate::$backend, crate::$module::$case);
                })*
            })*
        }
    };
}

cases! {
    inventory {
        a_list_shows_each_broker_with_its_record_lease_load_and_workers
        a_list_shows_each_worker_with_its_state_and_its_owner
        a_worker_is_described_with_its_attributes_without_being_activated
        pages_have_each_worker_once_and_never_more_than_were_wanted
        workers_that_change_hands_between_pages_are_listed
        a_filter_accepts_a_class_a_cluster_a_broker_or_a_state
        a_text_that_is_no_cursor_is_refused
    }
    membership {
        a_broker_that_joins_is_seen_by_others_with_all_that_it_said
        a_broker_may_host_no_class_at_all
        all_brokers_learn_one_secret_and_one_generation
        a_broker_learns_the_secret_before_it_joins
        registering_again_renews_the_lease_replaces_the_record_and_keeps_the_load
        a_broker_id_in_use_is_refused_and_the_answer_says_by_whom
        a_broker_id_whose_lease_ran_out_is_free_once_that_life_was_evicted
        a_life_that_is_not_known_cannot_announce_itself_over_another_of_its_broker
        a_broker_id_is_free_after_its_broker_left
        a_renewed_lease_lasts_for_the_new_ttl
        a_renewal_tells_which_other_lease_runs_out_next
        an_expired_lease_that_nobody_evicted_can_be_renewed
        who_is_not_registered_cannot_renew
        an_update_replaces_what_a_broker_said_and_leaves_its_lease_alone
        an_update_of_who_is_not_registered_changes_nothing
        an_update_does_not_need_a_valid_lease
        members_come_by_incarnation_with_expired_ones_among_them
        the_waiting_workers_that_a_broker_could_claim_are_counted_for_it
        every_call_to_restart_counts_and_all_see_it
        there_is_one_clock_for_all
        a_lease_is_over_at_the_very_millisecond_of_its_expiry
    }
    following {
        who_knows_nothing_gets_all_members_and_who_knows_them_gets_no_change
        what_changed_since_is_told_and_nothing_else
        an_update_that_changes_nothing_is_no_change
        who_departs_and_comes_back_is_a_member_that_changed
        a_state_of_another_generation_server_or_future_is_none
        nothing_known_of_a_wiped_database_holds
        a_version_grows_while_the_clock_goes_back
        departures_are_forgotten_in_the_end_and_all_members_are_told_then
        leases_that_ran_out_are_named_first_ones_first
        a_look_tells_the_asking_broker_its_load_and_what_it_could_claim
        one_member_is_found_with_its_lease_and_load
        more_than_half_of_three_or_more_that_fell_silent_together_have_one_more_lease_to_come_back
        who_does_not_come_back_after_an_outage_is_evicted
    }
    placement {
        a_worker_is_placed_on_the_least_loaded_broker
        equally_loaded_brokers_are_chosen_in_turn
        an_excluded_broker_is_not_chosen
        a_reservation_counts_as_load_at_once
        a_hundred_creates_at_once_over_four_idle_brokers_land_evenly
        only_a_broker_that_hosts_the_class_is_chosen
        a_class_is_hosted_by_its_whole_name_only
        only_a_broker_of_the_cluster_is_chosen_whoever_asks
        a_draining_broker_gets_nothing_but_may_ask
        a_broker_whose_lease_ran_out_gets_nothing
        who_has_no_valid_lease_places_nothing
        names_count_from_one_for_each_class
        names_that_exist_are_skipped_and_names_that_were_used_do_not_come_back
        no_broker_means_that_nothing_changed
        a_pending_worker_of_another_class_is_not_placed_and_both_are_named
        a_worker_that_has_an_owner_is_found_and_not_placed_again
        a_worker_whose_owner_is_gone_is_found_without_an_address
        a_pending_worker_is_placed_as_it_was
        a_pending_worker_waits_while_nobody_hosts_its_own_class
        a_pending_worker_that_outlived_its_ttl_is_made_new
        a_pending_worker_within_its_ttl_or_without_one_is_recovered
        epochs_grow_through_destruction
        epochs_grow_while_the_clock_goes_back
        a_create_that_is_repeated_after_a_lost_reply_finds_its_own_reservation
    }
    entries {
        an_owner_takes_its_worker_up_and_learns_all_of_it
        activating_again_gives_the_same_answer
        only_its_owner_takes_a_worker_up
        answers_come_in_the_order_of_the_questions
        no_questions_have_no_answers
        more_workers_than_a_chunk_are_taken_up_loaded_and_given_up_in_one_call
        an_owner_keeps_its_rights_while_its_lease_is_expired
        a_worker_that_is_given_up_for_good_is_gone
        a_recoverable_worker_that_is_given_up_waits_and_any_other_is_gone
        who_is_not_the_owner_or_speaks_of_another_epoch_gives_nothing_up
        a_new_placement_that_is_withdrawn_leaves_nothing
        a_recovery_that_is_withdrawn_waits_again_as_it_was
        what_was_made_new_after_its_ttl_is_deleted_when_it_is_withdrawn
        what_was_delivered_cannot_be_withdrawn
        the_sum_of_a_brokers_loads_follows_each_of_them
        a_load_of_another_owner_or_epoch_is_not_taken
        a_load_beyond_the_limit_counts_as_the_limit
        a_worker_can_be_located_in_each_of_its_states
        what_stands_under_an_owner_is_listed_oldest_first_page_by_page
        of_the_same_age_the_lower_id_comes_first
        a_page_holds_a_chunk_at_most
    }
    claims {
        a_claimed_worker_stands_under_its_claimer_as_it_was
        an_activation_that_never_ended_well_is_new_again_and_counted
        a_second_attempt_that_was_not_delivered_waits_again
        a_worker_is_claimed_once
        of_many_claimers_each_gets_what_no_other_got
        only_the_asked_cluster_and_classes_are_claimed
        the_oldest_are_claimed_first_up_to_the_limit
        class_after_class_is_claimed
        a_claim_of_nothing_tells_how_many_wait
        a_claim_takes_a_chunk_at_most
        what_outlived_its_ttl_is_deleted_instead
        the_ttl_counts_from_the_creation_and_a_worker_of_that_very_age_is_kept
        who_has_no_valid_lease_claims_nothing
        a_claim_that_is_given_back_waits_again
        brokers_that_claim_their_share_end_up_with_the_same_load
        a_share_counts_only_those_that_host_the_class
        who_has_its_share_takes_a_part_of_what_is_left_over_when_it_asks_for_it
        shares_follow_what_brokers_say_of_themselves
    }
    departures {
        who_has_a_valid_lease_is_not_evicted
        who_let_its_lease_run_out_is_evicted_and_its_workers_are_salvaged
        who_is_proven_dead_is_evicted_before_its_lease_runs_out
        the_next_life_of_a_broker_evicts_the_last_one_before_it_has_a_lease_of_its_own
        no_proof_counts_against_the_valid_lease_of_a_strict_broker
        a_renewal_disproves_a_death
        a_renewal_disproves_a_death_also_when_it_looks_run_out_as_after_a_jump_of_the_clock
        an_eviction_goes_on_in_parts_oldest_first_whoever_takes_the_next
        what_is_left_of_an_eviction_is_seen_until_somebody_has_gone_on_with_it
        what_is_left_of_a_departure_goes_the_way_that_it_began
        evicting_again_finds_nothing_left_to_do
        an_eviction_may_only_take_the_lease_at_first
        an_eviction_moves_a_chunk_at_most
        who_has_no_valid_lease_evicts_nobody
        the_worker_of_a_dead_broker_is_claimed_and_the_dead_one_can_touch_it_no_more
        a_broker_of_another_cluster_may_evict
        who_leaves_hands_its_recoverable_workers_over
        who_leaves_for_good_takes_its_workers_along
        leaving_goes_on_in_parts_and_can_be_repeated
        leaving_needs_no_lease
        what_is_left_can_still_be_given_up_by_its_owner
        who_registers_again_after_leaving_finds_the_load_of_what_is_left
    }
    healing {
        the_first_that_registers_agrees_on_the_server
        on_a_restarted_server_nothing_unknown_is_activated_moved_or_evicted
        on_a_restarted_server_owners_may_still_change_what_is_theirs
        after_a_restart_everything_goes_on_when_the_last_has_settled
        who_never_comes_back_is_awaited_as_long_as_its_lease_and_no_longer
        a_clock_that_steps_back_prolongs_no_healing
        after_a_wipe_two_brokers_put_everything_back
        after_a_wipe_nothing_that_was_given_out_comes_again
        the_first_secret_is_adopted
        announcing_and_restoring_again_does_no_harm
        of_two_holders_the_higher_epoch_stays
        a_worker_that_waits_is_taken_back_by_who_holds_it
        more_workers_than_a_chunk_are_restored_in_one_call
        a_rolled_back_owner_that_is_dead_makes_no_worker_claimable
        a_rolled_back_worker_that_waits_is_not_claimable_before_its_owner_has_spoken
        who_is_not_registered_restores_nothing
        who_settles_for_a_database_that_is_gone_is_told
        who_leaves_is_awaited_no_more
        the_next_life_of_a_broker_takes_over_while_nothing_is_settled
        a_newcomer_waits_for_those_who_have_a_lease_on_the_new_server
        a_newcomer_on_an_emptied_server_goes_on_until_a_survivor_speaks
        a_broker_that_comes_late_starts_nothing_anew
        an_evictor_with_a_wrong_idea_of_the_clock_is_refused
        a_proof_from_another_server_proves_nothing
        a_lease_too_far_away_is_cut
        an_owner_that_makes_progress_is_awaited_until_it_is_done
        an_awaited_member_hears_until_when_the_tables_surely_wait_for_it
        an_owner_reads_what_stands_under_it_and_is_awaited_meanwhile
        what_is_restored_later_prolongs_nothing
    }
    histories {
        a_worker_whose_third_process_died_is_quarantined
        who_merely_shared_the_process_is_never_quarantined
        a_death_during_a_trial_counts_against_the_suspect_alone
        a_broker_that_tries_a_suspect_gets_no_other
        a_suspect_is_not_placed_past_its_trial
        a_death_long_after_the_activation_accuses_nobody
        a_worker_loses_its_history_by_living
        a_quarantined_worker_is_freed_by_a_pardon
        a_worker_that_comes_back_again_and_again_waits_longer_each_time
        a_broker_that_leaves_adds_nothing_to_a_history
        who_ends_by_an_error_leaves_the_judgement_to_others
        a_restored_worker_keeps_its_history
    }
    idle {
        an_idle_worker_has_no_owner_and_is_woken_as_it_was
        a_worker_that_only_its_creator_kept_sleeps_too_and_whoever_creates_it_finds_it
        only_the_instance_that_stands_there_can_sleep
        a_sleep_whose_answer_was_lost_is_harmless
        nothing_sleeps_while_the_registry_may_have_forgotten_something
        a_wake_of_any_idle_worker_can_be_withdrawn
        no_ttl_ends_a_worker_that_sleeps
    }
    timers {
        a_timer_that_is_due_makes_its_sleeping_worker_wait_for_an_owner
        who_falls_asleep_with_the_first_timer_of_its_class_tells_it
        a_worker_whose_broker_died_or_left_is_woken_too
        a_worker_whose_activation_fails_is_not_rung_for_at_once
        only_a_member_rings_and_only_in_a_settled_registry
        many_are_rung_in_steps_in_the_order_of_their_times
    }
    lasting {
        a_kept_worker_sleeps_where_another_would_be_deleted
        a_kept_worker_is_gone_when_it_ended_for_good
        a_sleeping_worker_is_woken_as_it_was_under_a_higher_epoch
        who_creates_finds_a_sleeping_worker_and_leaves_it_asleep
        nothing_is_woken_where_there_is_no_worker
        a_first_activation_that_fails_leaves_nothing_and_a_later_one_lets_it_rest
        a_wake_that_is_withdrawn_need_not_rest
        a_kept_worker_outlives_the_ttl
        a_kept_worker_that_ends_its_process_is_tried_alone_and_quarantined
        what_has_no_owner_can_be_erased_and_what_has_one_is_named
        a_sleeping_worker_gives_way_to_who_holds_it
    }
    stored {
        what_an_owner_stores_is_loaded_with_the_next_activation
        a_claim_loads_data_in_the_step_that_makes_the_claimer_the_owner
        an_instance_that_was_replaced_can_write_nothing
        a_write_that_comes_late_does_not_undo_a_later_one
        the_first_write_of_an_activation_counts_whatever_its_revision
        data_goes_with_its_worker
        an_activation_that_fails_keeps_what_is_stored
        many_writes_are_answered_in_their_order
        no_healthy_owner_is_fenced_by_a_wipe
    }
    texts {
        attributes_come_back_bit_for_bit
        a_worker_may_have_any_id
        a_class_may_have_any_name
        a_cluster_may_have_any_name
        clusters_and_classes_whose_names_run_together_are_kept_apart
        a_broker_may_have_any_id_and_any_host
        a_namespace_may_have_any_name_and_is_kept_apart_from_all_others
    }
    handles {
        a_handle_that_is_not_open_refuses_everything_and_changes_nothing
        a_handle_may_be_opened_again
        a_closed_handle_refuses_everything_and_the_others_go_on
        nobody_listens_as_an_incarnation_unless_it_says_so
        a_handle_listens_as_one_incarnation_at_a_time_and_can_stop
        who_closes_or_drops_its_handle_listens_no_more
        everybody_hears_that_a_broker_joins_changes_or_leaves
        everybody_hears_that_workers_wait
        everybody_hears_of_a_death_and_of_what_waits_after_it
        everybody_hears_of_a_restart_the_one_that_called_too
        of_claims_in_a_row_the_first_and_the_last_are_told_of
        who_does_not_listen_for_long_is_told_that_hints_were_missed
        hints_stay_within_their_namespace
    }
}
