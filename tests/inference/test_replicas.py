"""Who gets a conversation, who is left out, and who is asked again."""

from contextlib import ExitStack
from datetime import timedelta

import pytest

from inference.replicas import FIRST_REST, LONGEST_REST, Replica, Replicas, Seen
from inference.trouble import Health

URLS = ("http://a:1/v1", "http://b:1/v1", "http://c:1/v1")


class Town:
    """Replicas under a clock that stands still until it is moved."""

    def __init__(self, *urls: str) -> None:
        self.time = 100.0
        self.replicas = Replicas(urls or URLS, now=lambda: self.time)

    def pick(self, conversation: str = "c", *avoid: Replica) -> Replica | None:
        with self.replicas.serving(conversation, avoid=avoid) as replica:
            return replica

    def sure(self, conversation: str = "c", *avoid: Replica) -> Replica:
        replica = self.pick(conversation, *avoid)
        assert replica
        return replica

    def fail(self, replica: Replica, times: int = 1) -> None:
        """So many incidents one after another, each after the rest of the last."""
        for _ in range(times):
            self.time = max(self.time, replica.rests_until)
            self.replicas.note(replica, Health.DOWN)


@pytest.fixture
def town() -> Town:
    return Town()


CONVERSATIONS = [f"whatsapp:1:{number}" for number in range(300)]


def test_a_conversation_stays_with_its_replica(town: Town) -> None:
    assert len({town.sure("c").url for _ in range(20)}) == 1


def test_conversations_spread_over_all_replicas(town: Town) -> None:
    chosen = [town.sure(conversation).url for conversation in CONVERSATIONS]
    assert all(60 <= chosen.count(url) <= 140 for url in URLS)


def test_only_the_conversations_of_a_lost_replica_move(town: Town) -> None:
    before = {conversation: town.sure(conversation) for conversation in CONVERSATIONS}
    lost = before[CONVERSATIONS[0]]
    town.fail(lost)
    moved = [it for it in CONVERSATIONS if town.sure(it) is not before[it]]
    assert moved == [it for it in CONVERSATIONS if before[it] is lost]


def test_the_choice_is_the_same_in_every_process() -> None:
    reverse = Town(*reversed(URLS))
    assert all(Town().sure(it).url == reverse.sure(it).url for it in CONVERSATIONS[:50])


def test_the_load_is_bounded_and_spills_over_in_the_conversations_own_order(town: Town) -> None:
    first = town.sure()
    second = town.sure("c", first)
    with ExitStack() as busy:
        held = [busy.enter_context(town.replicas.serving("c")) for _ in range(60)]
    loads = [held.count(replica) for replica in (first, second)]
    assert sum(loads) > 50
    assert max(held.count(replica) for replica in set(held)) <= 1.25 * 20 + 5


def test_many_conversations_spread_within_the_bound(town: Town) -> None:
    with ExitStack() as busy:
        held = [busy.enter_context(town.replicas.serving(it)) for it in CONVERSATIONS]
    assert max(held.count(replica) for replica in set(held)) <= 1.25 * 100 + 5
    assert len(set(held)) == 3


def test_a_spilled_conversation_goes_home_when_the_load_is_gone(town: Town) -> None:
    home = town.sure()
    with ExitStack() as busy:
        for _ in range(30):
            busy.enter_context(town.replicas.serving("c"))
    assert town.sure() is home


def test_few_requests_are_no_imbalance(town: Town) -> None:
    with ExitStack() as busy:
        held = [busy.enter_context(town.replicas.serving("c")) for _ in range(5)]
    assert len(set(held)) == 1


def test_a_failed_replica_rests_and_the_next_request_after_that_is_its_only_probe(town: Town) -> None:
    preferred = town.sure()
    town.fail(preferred)
    assert town.sure() is not preferred
    town.time += FIRST_REST
    with town.replicas.serving("c") as probe:
        assert probe is preferred
        assert town.sure() is not preferred
        town.replicas.note(preferred, Health.UP)
        assert town.sure() is preferred


def test_a_probe_without_a_verdict_lets_the_next_one_probe(town: Town) -> None:
    preferred = town.sure()
    town.fail(preferred)
    town.time += FIRST_REST
    assert town.sure() is preferred
    assert town.sure() is preferred


def test_rests_double_up_to_a_limit(town: Town) -> None:
    replica = town.sure()
    rests = []
    for _ in range(8):
        town.fail(replica)
        rests.append(replica.rests_until - town.time)
    assert rests[:4] == [1, 2, 4, 8]
    assert rests[-1] == LONGEST_REST


def test_what_fails_during_a_rest_is_the_same_incident(town: Town) -> None:
    replica = town.sure()
    for _ in range(50):
        town.replicas.note(replica, Health.DOWN)
    assert replica.failures == 1


def test_a_request_does_not_go_back_to_where_it_failed_while_there_is_another(town: Town) -> None:
    first = town.sure()
    second = town.sure("c", first)
    third = town.sure("c", first, second)
    assert len({first.url, second.url, third.url}) == 3
    assert town.sure("c", first, second, third) is first


def test_a_lone_replica_that_failed_once_is_still_tried() -> None:
    town = Town(URLS[0])
    town.fail(town.sure())
    assert town.pick() is not None
    assert town.replicas.available()


def test_when_all_are_down_nothing_is_asked_until_a_probe_is_due(town: Town) -> None:
    down = [town.sure(), town.sure("c", town.sure())]
    down.append(town.sure("c", *down))
    for replica in down:
        town.fail(replica, 3)
    town.time = min(replica.rests_until for replica in down) - 0.5
    assert town.pick() is None
    assert not town.replicas.available()
    town.time += 0.5
    assert town.replicas.available()
    with town.replicas.serving("c") as probe:
        assert probe is not None
        assert town.pick() is None


def test_a_busy_replica_rests_as_long_as_it_asks_and_is_not_down(town: Town) -> None:
    preferred = town.sure()
    town.replicas.note(preferred, Health.BUSY, timedelta(seconds=7))
    town.time += 6.9
    assert town.sure() is not preferred
    town.time += 0.1
    assert town.sure() is preferred
    assert preferred.failures == 0


def test_a_draining_replica_is_out_at_once_though_its_running_answers_go_on(town: Town) -> None:
    draining = town.sure()
    began = town.time
    town.time += 1
    town.replicas.note(draining, Health.DRAINING)
    town.replicas.note(draining, Health.UP, began=began)
    town.time += 60
    town.replicas.note_probe(draining, Seen.WELL)  # its /health says 200 all the time
    assert town.sure() is not draining


def test_a_drained_replica_that_was_gone_and_is_back_gets_one_request_to_show_it(town: Town) -> None:
    drained = town.sure()
    town.replicas.note(drained, Health.DRAINING)
    town.replicas.note_probe(drained, Seen.NOBODY)
    town.replicas.note_probe(drained, Seen.WELL)
    with town.replicas.serving("c") as probe:
        assert probe is drained
        assert town.sure() is not drained
        town.replicas.note(drained, Health.UP, began=town.time)
        assert town.sure() is drained


def test_a_lone_address_that_drains_may_be_a_router_and_is_asked_again() -> None:
    town = Town(URLS[0])
    town.replicas.note(town.sure(), Health.DRAINING)
    assert town.pick() is not None
    assert town.replicas.available()


def test_failed_probes_keep_a_replica_out_so_that_no_request_has_to_find_out(town: Town) -> None:
    lost = town.sure()
    town.fail(lost)
    for _ in range(20):
        town.replicas.note_probe(lost, Seen.NOBODY)
        town.time += 1
        assert town.sure() is not lost
    assert town.replicas.doubtful() == [lost]


def test_a_good_probe_does_not_shorten_the_rest_of_a_replica_that_was_never_gone(town: Town) -> None:
    broken = town.sure()
    town.fail(broken, 3)
    town.replicas.note_probe(broken, Seen.WELL)
    assert town.sure() is not broken


def test_a_probe_that_comes_after_good_news_changes_nothing(town: Town) -> None:
    replica = town.sure()
    town.fail(replica)
    town.replicas.note(replica, Health.UP)
    town.replicas.note_probe(replica, Seen.NOBODY)
    assert town.sure() is replica


def test_a_silent_replica_that_refuses_connections_is_lost_and_left_alone(town: Town) -> None:
    silent = town.sure()
    assert not town.replicas.lost(silent)
    assert town.replicas.doubt(silent)
    assert town.replicas.doubtful() == [silent]
    town.replicas.note_probe(silent, Seen.NOBODY)
    assert town.replicas.lost(silent)
    assert town.sure() is not silent


@pytest.mark.parametrize("seen", [Seen.WELL, Seen.ILL])
def test_a_silent_replica_that_is_there_is_waited_for(town: Town, seen: Seen) -> None:
    silent = town.sure()
    town.replicas.doubt(silent)
    town.replicas.note_probe(silent, seen)
    assert not town.replicas.lost(silent)
    assert town.replicas.doubtful() == []
    assert town.sure() is silent


def test_a_lone_replica_is_not_given_up_for_its_silence() -> None:
    town = Town(URLS[0])
    lone = town.sure()
    assert not town.replicas.doubt(lone)
    town.fail(lone)
    town.replicas.note_probe(lone, Seen.NOBODY)
    assert not town.replicas.lost(lone)


def test_a_lost_replica_that_answers_again_is_not_lost(town: Town) -> None:
    back = town.sure()
    town.replicas.doubt(back)
    town.replicas.note_probe(back, Seen.NOBODY)
    town.time += 20
    town.replicas.note(back, Health.UP, began=town.time)
    assert not town.replicas.lost(back)
    assert town.sure() is back


def test_old_good_news_do_not_undo_a_newer_failure(town: Town) -> None:
    replica = town.sure()
    began = town.time
    town.time += 1
    town.fail(replica)
    town.replicas.note(replica, Health.UP, began=began)
    assert town.sure() is not replica


def test_a_replica_is_named_by_host_and_port_only() -> None:
    assert Town("https://user:secret@models.example.com/v1").sure().name == "models.example.com:443"


def test_no_replica_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="at least one"):
        Replicas([])
