import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.PrintStream;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.Random;
import java.util.concurrent.ExecutionException;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.AlterConfigOp;
import org.apache.kafka.clients.admin.AlterConfigOp.OpType;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.RecordsToDelete;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.errors.TopicExistsException;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;

/**
 * Topics made by chance: producers whose transactions overlap, abort and die, plain ones among them, any
 * compression, skewed partitions, null keys and values, headers, deleted records, compaction, topics that were
 * deleted and made again. Prints for each what a consumer with read_committed finds: "topic NAME PARTITIONS", a line
 * "PARTITION OFFSET TIME KEY HASH-OF-VALUE HASH-OF-HEADERS" a record, "end". Args: brokers prefix seed histories.
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

    void send(String topic, int partitions, int count, boolean isCompacted) {
      if (name != null && !open) producer.beginTransaction();
      open = name != null;
      for (int i = 0; i < count; i++) {
        int partition = (int) (partitions * Math.pow(random.nextDouble(), 3));
        String id = "k" + random.nextInt(isCompacted ? 20 : 1000);
        String pad = "v".repeat(random.nextInt(40)).repeat(random.nextInt(20) == 0 ? 200 : 1);
        String value = random.nextInt(30) == 0 ? null : "{\"id\":\"" + id + "\",\"pad\":\"" + pad + random.nextInt() + "\"}";
        // Only a record with a key can be compacted.
        String key = !isCompacted && random.nextInt(10) == 0 ? null : id;
        ProducerRecord<String, String> record = new ProducerRecord<>(topic, partition, key, value);
        for (int h = random.nextInt(8) - 5; h > 0; h--)
          record.headers().add("h\u00fc" + h, random.nextInt(5) == 0 ? null : ("x \"" + random.nextInt(99)).getBytes(UTF_8));
        producer.send(record);
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

  /** A topic of its own; now and then one of that name was there before, with other records. */
  static void history(Admin admin, String topic, Random random) throws Exception {
    if (random.nextInt(5) == 0) {
      write(admin, topic, random, 1 + random.nextInt(16), false);
      admin.deleteTopics(List.of(topic)).all().get();
      while (admin.listTopics().names().get().contains(topic)) Thread.sleep(50);
    }
    int partitions = 1 + random.nextInt(16);
    boolean isCompacted = random.nextInt(4) == 0;
    write(admin, topic, random, partitions, isCompacted);
    if (isCompacted) compact(admin, topic, partitions);
    if (random.nextInt(3) == 0) delete(admin, topic, partitions, random);
    print(topic, partitions);
  }

  static void write(Admin admin, String topic, Random random, int partitions, boolean isCompacted) throws Exception {
    NewTopic made = new NewTopic(topic, partitions, (short) 1);
    // A compacted topic must not be cleaned while it is compared: `compact` says when.
    if (isCompacted) made.configs(Map.of("segment.bytes", "1048576", "min.cleanable.dirty.ratio", "0.0001"));
    for (;;) {
      try {
        admin.createTopics(List.of(made)).all().get();
        break;
      } catch (ExecutionException e) {
        // The one of that name is not gone yet.
        if (!(e.getCause() instanceof TopicExistsException)) throw e;
        Thread.sleep(50);
      }
    }
    List<Writer> writers = new ArrayList<>();
    int transactional = 1 + random.nextInt(4);
    for (int i = 0; i < transactional; i++) writers.add(new Writer(topic + "-" + i, random));
    writers.add(new Writer(null, random));
    int steps = 10 + random.nextInt(25);
    for (int step = 0; step < steps; step++) {
      Writer writer = writers.get(random.nextInt(writers.size()));
      int most = random.nextInt(8) == 0 ? 3_000 : 20;
      if (random.nextInt(3) < 2) writer.send(topic, partitions, 1 + random.nextInt(most), isCompacted);
      else writer.finish(random.nextInt(3));
    }
    for (Writer writer : writers) {
      writer.finish(random.nextInt(2));
      writer.producer.close();
    }
  }

  /** Lets the broker clean the topic until offsets are missing in the middle, and holds it still again. */
  static void compact(Admin admin, String topic, int partitions) throws Exception {
    set(admin, topic, Map.of("cleanup.policy", "compact", "segment.ms", "1", "delete.retention.ms", "0"));
    // Only what is behind the segment that is written can be cleaned, and a record begins the next one.
    try (KafkaProducer<String, String> producer = new KafkaProducer<>(settings())) {
      for (int round = 0; round < 3; round++) {
        Thread.sleep(200);
        for (int p = 0; p < partitions; p++) producer.send(new ProducerRecord<>(topic, p, "last", "{\"id\":\"last\"}"));
        producer.flush();
      }
    }
    Thread.sleep(1_200);
    set(admin, topic, Map.of("cleanup.policy", "delete", "retention.ms", "-1"));
    Thread.sleep(500);
  }

  static void set(Admin admin, String topic, Map<String, String> settings) throws Exception {
    List<AlterConfigOp> changes = new ArrayList<>();
    settings.forEach((name, value) -> changes.add(new AlterConfigOp(new ConfigEntry(name, value), OpType.SET)));
    admin.incrementalAlterConfigs(Map.of(new ConfigResource(ConfigResource.Type.TOPIC, topic), changes)).all().get();
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
      while (all.stream().anyMatch((partition) -> consumer.position(partition) < ends.get(partition)))
        for (ConsumerRecord<String, String> record : consumer.poll(Duration.ofMillis(100)))
          out.println(record.partition() + " " + record.offset() + " " + record.timestamp() + " " + record.key() + " "
              + hash(record.value()) + " " + hash(headersOf(record)));
    }
    out.println("end");
  }

  static String hash(String text) {
    return text == null ? "null" : String.valueOf(text.hashCode());
  }

  static String headersOf(ConsumerRecord<String, String> record) {
    StringBuilder text = new StringBuilder();
    for (Header header : record.headers())
      text.append(header.key()).append('=').append(header.value() == null ? "null" : new String(header.value(), UTF_8)).append(';');
    return text.toString();
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
