import java.io.PrintStream;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.Random;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.RecordsToDelete;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;

/**
 * Topics made by chance: producers whose transactions overlap, abort and die, plain ones among them, any
 * compression, skewed partitions, deleted records. Prints for each what a consumer with read_committed finds:
 * "topic NAME PARTITIONS", a line "PARTITION OFFSET KEY HASH" a record, "end". Args: brokers prefix seed histories.
 */
public class RandomHistories {
  static final String[] CODECS = {"none", "gzip", "snappy", "lz4", "zstd"};
  static String brokers;
  static PrintStream out;

  static Properties settings() {
    Properties settings = new Properties();
    settings.put("bootstrap.servers", brokers);
    settings.put("key.serializer", StringSerializer.class.getName());
    settings.put("value.serializer", StringSerializer.class.getName());
    settings.put("key.deserializer", StringDeserializer.class.getName());
    settings.put("value.deserializer", StringDeserializer.class.getName());
    return settings;
  }

  /** A writer of one topic; without a name it is no transactional one. */
  static class Writer {
    final String name;
    final Random random;
    KafkaProducer<String, String> producer;
    boolean open = false;

    Writer(String name, Random random) {
      this.name = name;
      this.random = random;
      start();
    }

    void start() {
      Properties settings = settings();
      settings.put("compression.type", CODECS[random.nextInt(CODECS.length)]);
      settings.put("linger.ms", "2");
      settings.put("batch.size", String.valueOf(200 + random.nextInt(20_000)));
      if (name != null) settings.put("transactional.id", name);
      producer = new KafkaProducer<>(settings);
      if (name != null) producer.initTransactions();
    }

    void send(String topic, int partitions, int count) {
      if (name != null && !open) producer.beginTransaction();
      open = name != null;
      for (int i = 0; i < count; i++) {
        int partition = (int) (partitions * Math.pow(random.nextDouble(), 3));
        String value = "v".repeat(random.nextInt(40)) + random.nextInt();
        if (random.nextInt(20) == 0) value = value.repeat(200);
        producer.send(new ProducerRecord<>(topic, partition, "k" + random.nextInt(1000), value));
      }
      producer.flush();
    }

    void finish(int how) {
      if (name == null) return;
      if (how == 0 && open) producer.commitTransaction();
      if (how == 1 && open) producer.abortTransaction();
      // Dies: its next start ends what it left open.
      if (how == 2) {
        producer.close(Duration.ZERO);
        start();
      }
      open = false;
    }
  }

  static void history(Admin admin, String topic, Random random) throws Exception {
    int partitions = 1 + random.nextInt(16);
    admin.createTopics(List.of(new NewTopic(topic, partitions, (short) 1))).all().get();
    List<Writer> writers = new ArrayList<>();
    int transactional = 1 + random.nextInt(4);
    for (int i = 0; i < transactional; i++) writers.add(new Writer(topic + "-" + i, random));
    writers.add(new Writer(null, random));
    int steps = 10 + random.nextInt(25);
    for (int step = 0; step < steps; step++) {
      Writer writer = writers.get(random.nextInt(writers.size()));
      if (random.nextInt(3) < 2) writer.send(topic, partitions, 1 + random.nextInt(random.nextInt(8) == 0 ? 3_000 : 20));
      else writer.finish(random.nextInt(3));
    }
    for (Writer writer : writers) {
      writer.finish(random.nextInt(2));
      writer.producer.close();
    }
    if (random.nextInt(3) == 0) delete(admin, topic, partitions, random);
    print(topic, partitions);
  }

  static void delete(Admin admin, String topic, int partitions, Random random) throws Exception {
    Map<TopicPartition, RecordsToDelete> doomed = new HashMap<>();
    try (KafkaConsumer<String, String> consumer = new KafkaConsumer<>(settings())) {
      for (int p = 0; p < partitions; p++) {
        TopicPartition partition = new TopicPartition(topic, p);
        long end = consumer.endOffsets(List.of(partition)).get(partition);
        if (random.nextBoolean()) doomed.put(partition, RecordsToDelete.beforeOffset((long) (end * random.nextDouble())));
      }
    }
    admin.deleteRecords(doomed).all().get();
  }

  /** A transaction ends before its markers are in all partitions. */
  static Map<TopicPartition, Long> endsWithMarkers(KafkaConsumer<String, String> committed, List<TopicPartition> all)
      throws Exception {
    try (KafkaConsumer<String, String> consumer = new KafkaConsumer<>(settings())) {
      for (;;) {
        Map<TopicPartition, Long> stable = committed.endOffsets(all);
        if (stable.equals(consumer.endOffsets(all))) return stable;
        Thread.sleep(20);
      }
    }
  }

  static void print(String topic, int partitions) throws Exception {
    Properties settings = settings();
    settings.put("isolation.level", "read_committed");
    settings.put("enable.auto.commit", "false");
    out.println("topic " + topic + " " + partitions);
    try (KafkaConsumer<String, String> consumer = new KafkaConsumer<>(settings)) {
      List<TopicPartition> all = new ArrayList<>();
      for (int p = 0; p < partitions; p++) all.add(new TopicPartition(topic, p));
      consumer.assign(all);
      consumer.seekToBeginning(all);
      Map<TopicPartition, Long> ends = endsWithMarkers(consumer, all);
      while (all.stream().anyMatch((one) -> consumer.position(one) < ends.get(one)))
        for (ConsumerRecord<String, String> record : consumer.poll(Duration.ofMillis(100)))
          out.println(record.partition() + " " + record.offset() + " " + record.key() + " " + record.value().hashCode());
    }
    out.println("end");
  }

  public static void main(String[] args) throws Exception {
    brokers = args[0];
    out = new PrintStream(System.out, false);
    Properties settings = new Properties();
    settings.put("bootstrap.servers", brokers);
    try (Admin admin = Admin.create(settings)) {
      for (int i = 0; i < Integer.parseInt(args[3]); i++) {
        long seed = Long.parseLong(args[2]) + i;
        history(admin, args[1] + "-" + seed, new Random(seed));
      }
    }
    out.flush();
  }
}
