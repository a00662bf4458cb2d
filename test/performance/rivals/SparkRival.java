import static org.apache.spark.sql.functions.*;

import com.sun.management.OperatingSystemMXBean;
import java.io.BufferedReader;
import java.io.File;
import java.io.InputStreamReader;
import java.lang.management.ManagementFactory;
import java.util.Arrays;
import java.util.Map;
import org.apache.spark.sql.Column;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.streaming.Trigger;
import org.apache.spark.sql.types.StructType;

/**
 * Spark as the rival, kept warm in one process: each line on stdin is a job, each answer a line of JSON with wall and CPU seconds
 * of the whole process. `stream BROKERS TOPIC OUT`: Structured Streaming into Delta with dedup. `hourly RAW PUBLISHED OUT`:
 * anti join, row_number and a partitioned write.
 */
public class SparkRival {
  static final OperatingSystemMXBean SYSTEM = (OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean();

  public static void main(String[] args) throws Exception {
    SparkSession spark = SparkSession.builder().master("local[2]").appName("rival").config("spark.ui.enabled", "false")
        .config("spark.sql.shuffle.partitions", "2").config("spark.sql.session.timeZone", "UTC").config("spark.sql.adaptive.enabled", "false")
        .config("spark.sql.extensions", "io.delta.sql.DeltaSparkSessionExtension")
        .config("spark.sql.catalog.spark_catalog", "org.apache.spark.sql.delta.catalog.DeltaCatalog").getOrCreate();
    spark.sparkContext().setLogLevel("ERROR");
    BufferedReader in = new BufferedReader(new InputStreamReader(System.in));
    System.out.println("{\"ready\":1}");
    for (String line = in.readLine(); line != null; line = in.readLine()) {
      String[] words = line.split(" ");
      long cpu = SYSTEM.getProcessCpuTime();
      long wall = System.nanoTime();
      long rows = words[0].equals("stream") ? stream(spark, words[1], words[2], words[3]) : hourly(spark, words[1], words[2], words[3]);
      double wallS = (System.nanoTime() - wall) / 1e9;
      double cpuS = (SYSTEM.getProcessCpuTime() - cpu) / 1e9;
      if (words[0].equals("stream")) rows = spark.read().format("delta").load(words[3]).where("fault is null").count();
      System.out.println("{\"rows\":" + rows + ",\"wallS\":" + wallS + ",\"cpuS\":" + cpuS + "}");
    }
    spark.stop();
  }

  /** All fields as text, the root checked, types by try_cast: from_xml alone would null a document for one wrong field. */
  static long stream(SparkSession spark, String brokers, String topic, String out) throws Exception {
    StructType shape = StructType.fromDDL("book array<struct<record_id:string,title:string,author:struct<name:string,country:string>,publication_year:string>>, _corrupt_record string");
    Dataset<Row> messages = spark.readStream().format("kafka").option("kafka.bootstrap.servers", brokers).option("subscribe", topic)
        .option("startingOffsets", "earliest").option("maxOffsetsPerTrigger", "200000").load()
        .selectExpr("cast(key as string) AS message_id", "cast(value as string) AS xml", "partition", "offset", "timestamp").dropDuplicates(new String[] {"message_id"});
    Dataset<Row> parsed = messages.withColumn("doc", from_xml(col("xml"), shape, Map.of("columnNameOfCorruptRecord", "_corrupt_record")));
    Column broken = expr("doc is null or doc._corrupt_record is not null or not endswith(rtrim('\\n ', xml), '</library>') or contains(xml, '<library/>')");
    Dataset<Row> rows = parsed.withColumn("broken", broken)
        .select(col("message_id"), col("partition"), col("offset"), col("timestamp"), col("broken"), when(col("broken"), col("xml")).as("original"), posexplode_outer(when(not(col("broken")), col("doc.book"))));
    Column fault = expr("case when broken then 'malformed' when col.record_id is null or not rlike(trim(col.record_id), '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$') then 'type.uuid'"
        + " when col.title is null or trim(col.title) = '' then 'title' when col.author.name is null then 'author' when try_cast(trim(col.publication_year) as int) is null then 'type.integer'"
        + " when cast(trim(col.publication_year) as int) not between 2000 and 2023 then 'range' end");
    Dataset<Row> made = rows.select(expr("trim(col.record_id) AS record_id"), expr("trim(col.title) AS title"), expr("trim(col.author.name) AS author_name"), expr("trim(col.author.country) AS author_country"),
        expr("try_cast(trim(col.publication_year) as int) AS publication_year"), col("message_id"), col("partition"), col("offset"), col("pos"), col("timestamp"), fault.as("fault"), col("original"));
    made.writeStream().format("delta").option("checkpointLocation", out + "-checkpoint").trigger(Trigger.AvailableNow()).start(out).awaitTermination();
    return 0;
  }

  static long hourly(SparkSession spark, String raw, String published, String out) {
    String[] files = Arrays.stream(new File(raw).listFiles()).map(File::getPath).filter((path) -> path.matches(".*/2-\\d+\\.parquet")).sorted().toArray(String[]::new);
    spark.read().parquet(files).createOrReplaceTempView("d");
    spark.read().option("recursiveFileLookup", "true").parquet(published).createOrReplaceTempView("p");
    Dataset<Row> rows = spark.sql("SELECT record_id, title, author_name, author_country, publication_year, message_id, message_time, current_timestamp() AS processed_date FROM"
        + " (SELECT *, row_number() OVER (PARTITION BY record_id ORDER BY kafka_offset) AS nth FROM d WHERE NOT EXISTS (SELECT 1 FROM p WHERE p.record_id = d.record_id)) WHERE nth = 1");
    rows.repartition(2, col("publication_year")).write().partitionBy("publication_year").option("compression", "zstd").mode("overwrite").parquet(out);
    return spark.read().parquet(out).count();
  }
}
