import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.stream.Collectors;
import org.apache.kafka.clients.consumer.ConsumerGroupMetadata;
import org.apache.kafka.clients.consumer.ConsumerPartitionAssignor;
import org.apache.kafka.clients.consumer.ConsumerPartitionAssignor.Assignment;
import org.apache.kafka.clients.consumer.ConsumerPartitionAssignor.GroupSubscription;
import org.apache.kafka.clients.consumer.ConsumerPartitionAssignor.Subscription;
import org.apache.kafka.clients.consumer.CooperativeStickyAssignor;
import org.apache.kafka.clients.consumer.RangeAssignor;
import org.apache.kafka.clients.consumer.RoundRobinAssignor;
import org.apache.kafka.clients.consumer.StickyAssignor;
import org.apache.kafka.common.Cluster;
import org.apache.kafka.common.Node;
import org.apache.kafka.common.PartitionInfo;
import org.apache.kafka.common.TopicPartition;

/**
 * Plays histories of consumer groups with the assignors of Kafka's Java client, and prints who reads what.
 *
 * Input, line by line: "history NAME STRATEGY" begins one; "step orders=4,payments=3 a:orders,payments b:orders"
 * is a rebalance with these topics and members. Output: for each step the line "NAME a=orders-0,orders-1 b=".
 * Every member has an assignor of its own, as in a client, and the leader is the first in order. Under the cooperative
 * protocol a step goes on until nobody has to give up anything any more.
 */
public class Assignors {
    private final String strategy;
    private final Map<String, ConsumerPartitionAssignor> assignors = new TreeMap<>();
    private final Map<String, List<TopicPartition>> owned = new TreeMap<>();
    private int generation = 0;

    Assignors(String strategy) {
        this.strategy = strategy;
    }

    public static void main(String[] arguments) throws Exception {
        BufferedReader input = new BufferedReader(new InputStreamReader(System.in));
        Assignors group = null;
        String name = "";
        for (String line = input.readLine(); line != null; line = input.readLine()) {
            String[] words = line.split(" ");
            if (words[0].equals("history")) {
                name = words[1];
                group = new Assignors(words[2]);
            } else {
                group.step(words);
                System.out.println(name + " " + group.shown());
            }
        }
    }

    private ConsumerPartitionAssignor newAssignor() {
        switch (strategy) {
            case "range": return new RangeAssignor();
            case "roundrobin": return new RoundRobinAssignor();
            case "sticky": return new StickyAssignor();
            default: return new CooperativeStickyAssignor();
        }
    }

    private void step(String[] words) {
        Map<String, List<String>> topics = new TreeMap<>();
        for (int place = 2; place < words.length; place++) {
            String[] member = words[place].split(":");
            topics.put(member[0], List.of(member[1].split(",")));
        }
        assignors.keySet().retainAll(topics.keySet());
        owned.keySet().retainAll(topics.keySet());
        for (String member : topics.keySet()) {
            assignors.computeIfAbsent(member, ignored -> newAssignor());
            owned.computeIfAbsent(member, ignored -> new ArrayList<>());
        }
        Cluster cluster = cluster(words[1]);
        while (rebalance(cluster, topics)) { }
    }

    /** One round; whether somebody had to give up a partition, so that another round follows. */
    private boolean rebalance(Cluster cluster, Map<String, List<String>> topics) {
        boolean cooperative = strategy.equals("cooperative-sticky");
        Map<String, Subscription> subscriptions = new HashMap<>();
        for (String member : topics.keySet()) {
            List<TopicPartition> kept = cooperative ? owned.get(member) : List.of();
            subscriptions.put(member, new Subscription(topics.get(member),
                assignors.get(member).subscriptionUserData(new HashSet<>(topics.get(member))), kept, generation, Optional.empty()));
        }
        String leader = topics.keySet().iterator().next();
        Map<String, Assignment> assignment =
            assignors.get(leader).assign(cluster, new GroupSubscription(subscriptions)).groupAssignment();
        generation += 1;
        boolean again = false;
        for (String member : topics.keySet()) {
            Set<TopicPartition> given = new HashSet<>(assignment.get(member).partitions());
            again |= cooperative && !given.containsAll(owned.get(member));
            owned.put(member, new ArrayList<>(given));
            assignors.get(member).onAssignment(assignment.get(member),
                new ConsumerGroupMetadata("group", generation, member, Optional.empty()));
        }
        return again;
    }

    private static Cluster cluster(String text) {
        Node node = new Node(1, "localhost", 9092);
        Node[] replicas = {node};
        List<PartitionInfo> partitions = new ArrayList<>();
        for (String topic : text.split(",")) {
            String[] count = topic.split("=");
            for (int partition = 0; partition < Integer.parseInt(count[1]); partition++) {
                partitions.add(new PartitionInfo(count[0], partition, node, replicas, replicas));
            }
        }
        return new Cluster("cluster", List.of(node), partitions, Set.of(), Set.of());
    }

    private String shown() {
        List<String> members = new ArrayList<>();
        owned.forEach((member, partitions) -> members.add(member + "=" + partitions.stream()
            .map(TopicPartition::toString).sorted().collect(Collectors.joining(","))));
        return String.join(" ", members);
    }
}
