import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;

/** Reads our tables with Spark and delta-spark, and appends one row to Processed. Prints one line of JSON. */
public class SparkReads {
  public static void main(String[] args) {
    SparkSession spark = SparkSession.builder().master("local[2]").appName("reads")
        .config("spark.ui.enabled", "false").config("spark.sql.shuffle.partitions", "2")
        .config("spark.sql.session.timeZone", "UTC")
        .config("spark.sql.extensions", "io.delta.sql.DeltaSparkSessionExtension")
        .config("spark.sql.catalog.spark_catalog", "org.apache.spark.sql.delta.catalog.DeltaCatalog").getOrCreate();
    spark.sparkContext().setLogLevel("ERROR");
    Dataset<Row> raw = spark.read().format("delta").load(args[0]);
    Dataset<Row> processed = spark.read().format("delta").load(args[1]);
    long accepted = raw.where("outcome = 'accepted'").count();
    long ids = raw.where("outcome = 'accepted'").select("record_id").distinct().count();
    long pruned = processed.where("publication_year = 2010").count();
    long before = processed.count();
    spark.sql("INSERT INTO delta.`" + args[1] + "` (record_id, title, author_name, publication_year) VALUES ('" + args[2] + "', 'by Spark', 'Spark', 2010)");
    long after = spark.read().format("delta").load(args[1]).count();
    System.out.println("{\"accepted\":" + accepted + ",\"ids\":" + ids + ",\"pruned\":" + pruned + ",\"before\":" + before + ",\"after\":" + after + "}");
    spark.stop();
  }
}
